// What --draft and --lookup bring: the same text written with and without them.
#pragma once

#include <string>

#include "draft_settings.h"
#include "json_output.h"

namespace hearth_tool {

/// Continues `prompt` by n_tokens likeliest tokens, with and without drafts in turn, `repetitions` times each. Prints a
/// line unless `quiet`.
hearth::Result<Json> bench_drafts(hearth::Session& session, hearth::Speculator& speculator,
                                  const std::vector<hearth::Token>& prompt, int32_t n_tokens, int32_t repetitions,
                                  bool quiet);

}  // namespace hearth_tool
