// ChatTemplate: renders a conversation with the model's own template (tokenizer.chat_template, Jinja).
//
//   auto chat = hearth::ChatTemplate::from_gguf(model->file(), model->tokenizer());
//   auto prompt = chat->render({{.role = "user", .content = "Hello"}}, {});
//   auto ids = chat->encode(*prompt, model->tokenizer());   // only the template's markers become special
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "hearth/tokenizer.h"

namespace hearth {

/// A call that the assistant made. `arguments_json` is a JSON object.
struct ToolCall {
  std::string id{};
  std::string name{};
  std::string arguments_json{};
};

/// One message. Content is text, or parts when `content_parts_json` (a JSON array) is not empty.
struct ChatMessage {
  std::string role{};  ///< "system", "user", "assistant", "tool"
  std::string content{};
  std::string content_parts_json{};  ///< off: empty
  std::string reasoning{};           ///< off: empty; given to templates as reasoning_content
  std::vector<ToolCall> tool_calls{};
  std::string tool_call_id{};  ///< of a tool result
  std::string name{};          ///< of a tool result's tool; off: empty
  bool no_content = false;     ///< content is none to the template, as beside tool calls; content must be empty
  std::string more_json{};     ///< a JSON object of further members, such as thinking or tool_plan; off: empty
};

struct ChatOptions {
  bool add_generation_prompt = true;
  std::string tools_json{};  ///< a JSON array of tool definitions; off: empty
  std::vector<std::pair<std::string, std::string>>
      variables{};   ///< name and JSON value, e.g. {"enable_thinking", "false"}
  int64_t now = -1;  ///< seconds since 1970 (UTC) for strftime_now; < 0: the clock
};

/// A rendered prompt in pieces: text that the template wrote, and text that came from messages. Special
/// tokens are parsed in the former only, so a user's text cannot forge a role.
struct ChatPrompt {
  struct Piece {
    std::string text;
    bool trusted;  ///< written by the template
  };
  std::vector<Piece> pieces;
  std::string text() const;  ///< all pieces joined; empty when memory is out
};

/// A compiled template. Immutable, shareable by threads. What a template costs is bounded by steps that stand for work,
/// by memory, output, and the stack of the calling thread: deep recursion is an error there, not a crash (threads need
/// 128 KiB).
class ChatTemplate {
 public:
  /// Compiles a template. kFormat with line and column when it does not parse.
  static Result<ChatTemplate> compile(std::string_view source, std::string_view bos = {}, std::string_view eos = {});
  /// The template of a file (`tokenizer.chat_template`); ChatML, with a warning(), where there is none.
  static Result<ChatTemplate> from_gguf(const GgufFile& file, const Tokenizer& tokenizer);

  /// The messages reach the template as they are written. Where it fails on them, prints one as Python would, or loses
  /// the last user's text, other forms are tried: parts joined to text or text as a part, none as an empty text,
  /// arguments of calls as JSON text instead of an object, the system's text at the head of the first user message.
  /// kFormat: the template raised an error or met a type error (message, line, column); kLimit: it ran too
  /// long or grew too large. kInvalidArgument: tools_json or a variable is not JSON.
  Result<ChatPrompt> render(const std::vector<ChatMessage>& messages, const ChatOptions& options = {}) const;
  /// Renders with exactly these variables (a JSON object), for callers who have variables of their own.
  Result<std::string> render_json(std::string_view variables_json, int64_t now = -1) const;
  /// Token ids of a prompt that any template rendered. Adds BOS only if the template did not write it.
  static Result<std::vector<Token>> encode(const ChatPrompt& prompt, const Tokenizer& tokenizer);

  std::string_view source() const;
  std::string_view warning() const;

  struct Impl;

 private:
  explicit ChatTemplate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace hearth
