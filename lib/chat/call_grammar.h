// Grammars of calls: what a model may write where calls of some tools are wanted, in the form that a template has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hearth/grammar.h"
#include "hearth/tokenizer.h"
#include "lib/chat/answer_format.h"

namespace hearth::chat {

/// A tool as calls need it.
struct Tool {
  std::string name;
  std::string parameters;  ///< the schema of its arguments, an object
  bool is_strict = false;
};

/// From a list in OpenAI's form, or of the functions themselves. kFormat, kInvalidArgument.
Result<std::vector<Tool>> read_tools(std::string_view tools_json);

struct CallGrammarOptions {
  bool parallel = true;
  bool forced =
      false;  ///< the whole answer: reasoning, where the format has it, and calls; false: what follows `after`
  std::string_view after{};  ///< empty though not forced: the answer is calls, or content as the format begins it
  const Tokenizer* tokenizer = nullptr;  ///< tells which markers are control tokens
};
Result<Grammar> call_grammar(const AnswerFormat& format, const std::vector<Tool>& tools,
                             const CallGrammarOptions& options);

/// The beginning of AnswerFormat::begin that tells a call from other text; empty when none does.
std::string call_trigger(const AnswerFormat& format);

}  // namespace hearth::chat
