// ChatParser: what a model wrote, also while it writes: content, reasoning and calls of tools.
//
//   auto parser = hearth::ChatParser::create(chat_template, {.tools_json = tools});
//   auto part = parser->push(piece);  // again and again; what may be a marker is held back
//   for (const hearth::ToolCall& call : part->tool_calls) show(call.name, call.arguments_json);
//   auto rest = parser->finish();
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/chat_template.h"
#include "hearth/result.h"

namespace hearth {

/// What became certain with a piece of text.
struct ChatDelta {
  std::string content{}, reasoning{};
  std::vector<ToolCall> tool_calls{};  ///< whole ones; the id is empty where the format has none
};

/// Knows no model: the form of calls and reasoning is learned from the template, by rendering messages that have them.
/// What it could not learn (and read back) stays content, and so do calls that are malformed: nothing is lost. Not
/// thread-safe; movable; one per answer.
class ChatParser {
 public:
  /// `options` as for the prompt that is answered: its tools tell the types of arguments where a format does not write
  /// JSON. Errors of ChatTemplate::render for a plain message.
  static Result<ChatParser> create(const ChatTemplate& chat_template, const ChatOptions& options = {});
  ChatParser(ChatParser&&) noexcept;
  ChatParser& operator=(ChatParser&&) noexcept;
  ~ChatParser();

  /// Goes on with the answer's text, special tokens included as they are written. After kOutOfMemory start anew.
  Result<ChatDelta> push(std::string_view text);
  /// The end of the answer: what was held back.
  Result<ChatDelta> finish();

  bool knows_calls() const;
  bool knows_reasoning() const;

 private:
  friend struct ChatParserInternals;
  struct Impl;
  explicit ChatParser(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
