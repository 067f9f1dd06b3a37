// A text with a share for each of its pieces, as a line that is warm where the shares are large.
#pragma once

#include <string>
#include <vector>

namespace hearth_tool {

struct HeatPiece {
  std::string text;  ///< printable, on one line
  float share = 0;   ///< >= 0
};

/// Lines of at most `columns` cells, each beginning with `indent`. The largest share is the warmest. In colors: pieces
/// on a red ground. Without: a line of bars (U+2581 to U+2588) under each line of text.
std::string heat_lines(const std::vector<HeatPiece>& pieces, int columns, bool in_colors,
                       const std::string& indent = "  ");

}  // namespace hearth_tool
