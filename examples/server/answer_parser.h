// Taking an answer apart: text, reasoning, calls of tools.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ask.h"

namespace hearth_server {

class AnswerParser {
 public:
  virtual ~AnswerParser() = default;
  /// What has become clear with more text. Only kind, text, call, call_id and call_name are set.
  virtual std::vector<AnswerEvent> push(std::string_view text) = 0;
  /// What was held back, at the end of the answer.
  virtual std::vector<AnswerEvent> finish() = 0;
};

struct LoadedModel;

/// For the answers to a request, whose rendered prompt ends as `prompt` does. Completions are text and nothing else.
std::unique_ptr<AnswerParser> make_parser(const LoadedModel& model, const Ask& ask, std::string_view prompt);

}  // namespace hearth_server
