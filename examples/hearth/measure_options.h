// What the commands share that compute a long text in chunks.
#pragma once

#include <cstdint>
#include <string>

#include "hearth/quality.h"
#include "model_options.h"

namespace hearth_tool {

/// -c (tokens a chunk), --chunks, --parse-special, and settings of the session.
struct MeasureSettings {
  MeasureSettings() { session.n_ctx = 512; }

  SessionSettings session;
  int64_t chunks = 0;
  bool parse_special = false;

  void declare(Options& options);
  /// Checks the settings and forces the instruction set; Ctrl-C ends the run.
  hearth::Result<hearth::MeasureOptions> resolve() const;
};

}  // namespace hearth_tool
