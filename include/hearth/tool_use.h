// ToolUse: tools in a conversation: the prompt that offers them, the grammar that keeps their calls to their schemas,
// and the parser that reads them.
//
//   auto use = hearth::ToolUse::create(chat_template, {.tools_json = tools}, {.choice =
//   hearth::ToolChoice::kRequired}); auto prompt = use->render(messages); auto rules =
//   use->grammar(&model->tokenizer()); options.grammar = rules->grammar, options.grammar_after = rules->after; auto
//   parser = use->parser();   // reads what is generated
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/chat_parser.h"
#include "hearth/chat_template.h"
#include "hearth/grammar.h"
#include "hearth/result.h"
#include "hearth/tokenizer.h"

namespace hearth {

enum class ToolChoice : uint8_t {
  kAuto,      ///< the model decides; a call that it begins is kept to a tool's name and schema
  kNone,      ///< no tools are offered
  kRequired,  ///< the answer is a call, after reasoning where the model has that
  kNamed,     ///< the same, of the tool ToolUseOptions::name
};

struct ToolUseOptions {
  ToolChoice choice = ToolChoice::kAuto;
  std::string name{};    ///< of kNamed; otherwise unused
  bool parallel = true;  ///< false: one call at most
};

/// What GenerateOptions::grammar and grammar_after take.
struct ToolGrammar {
  std::optional<Grammar> grammar{};  ///< none: nothing is kept to
  std::string after{};               ///< the text behind which it begins; empty: at once
};

/// Immutable, shareable by threads; copying is cheap.
class ToolUse {
 public:
  /// `options` as for ChatTemplate::render; its tools in OpenAI's form: {"type": "function", "function": {"name",
  /// "description", "parameters", "strict"}}. Where the template has no form of calls that could be learned, a generic
  /// one is used: JSON between <tool_call> and </tool_call>, which the system message describes. kFormat and
  /// kInvalidArgument name what is wrong with the tools or the choice.
  static Result<ToolUse> create(const ChatTemplate& chat_template, const ChatOptions& options = {},
                                const ToolUseOptions& use = {});

  /// The prompt for these messages. Errors of ChatTemplate::render.
  Result<ChatPrompt> render(const std::vector<ChatMessage>& messages) const;
  /// The language of calls. With a tokenizer, markers that are control tokens of it are asked for as such. A schema
  /// that cannot be enforced is an error where the tool says "strict" or the choice forces a call; otherwise that tool
  /// takes any arguments. Arguments that a tool does not name are not written, unless its schema speaks of them.
  Result<ToolGrammar> grammar(const Tokenizer* tokenizer = nullptr) const;
  /// A parser for one answer. Tokens' text must reach it with GenerateOptions::skip_special off.
  Result<ChatParser> parser() const;

  bool has_tools() const;   ///< some are offered
  bool is_generic() const;  ///< by the generic form

 private:
  struct Impl;
  explicit ToolUse(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace hearth
