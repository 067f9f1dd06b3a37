// The log of a run: a table of losses beside the checkpoint, and a picture of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace train {

struct LogRow {
  int64_t step = 0, tokens = 0;
  double loss = 0;
  double validation = -1;  ///< < 0: not measured at this step
  double accuracy = -1;    ///< share of held-out questions; < 0: not measured
};

/// Comma-separated, one line a row under a line of titles.
bool append_log(const std::string& path, const LogRow& row);
std::vector<LogRow> read_log(const std::string& path);
/// Drops rows after `step`: what an interrupted run had written beyond its last checkpoint.
bool cut_log(const std::string& path, int64_t step);
/// Loss (logarithmic) and accuracy over tokens, as an SVG picture.
std::string draw_log(const std::vector<LogRow>& rows);

}  // namespace train
