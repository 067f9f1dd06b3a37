// Chat: a conversation with a model: history, streamed answers, and a cache that computes only what is new.
//
//   auto chat = hearth::Chat::create(session);
//   if (!chat) return fail(chat.error());
//   const hearth::TextCallback print = [](std::string_view piece) { return bool(std::cout << piece << std::flush); };
//   auto answer = chat->say("Tell me a story about Anna and a kite.", print);
//   if (answer) answer = chat->say("What colour was the kite?", print);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/chat_template.h"
#include "hearth/generator.h"
#include "hearth/result.h"
#include "hearth/session.h"
#include "hearth/tool_use.h"

namespace hearth {

/// What happens when a conversation no longer fits the session's context.
enum class ContextFullPolicy : uint8_t {
  kStop,        ///< the message is not answered: kContextFull
  kDropOldest,  ///< the oldest messages are forgotten, from a user's to before the next user's; the system message
                ///< stays
};

struct ChatSettings {
  /// How answers are made. Each takes another seed, counted up from the sampler's, so that a second try is another
  /// answer. add_special and parse_special do not apply: the template decides.
  GenerateOptions generate{.max_tokens = -1, .skip_special = true};
  ChatOptions prompt{};    ///< variables and tools for the template
  ToolUseOptions tools{};  ///< how those tools may be called; a grammar in `generate` takes the place of theirs
  ContextFullPolicy when_full = ContextFullPolicy::kStop;
  int32_t room = 256;  ///< with kDropOldest: tokens kept free for an answer, at most half of the context
};

struct ChatAnswer {
  std::string text;  ///< as the model wrote it
  /// What ChatParser made of it: content, reasoning, calls of tools. The history has this.
  ChatMessage message;
  StopReason stop_reason = StopReason::kEndToken;
  int32_t cached_tokens = 0;     ///< of the prompt, were in the cache already
  int32_t dropped_messages = 0;  ///< were forgotten to make room (ContextFullPolicy::kDropOldest)
  Timings timings;               ///< prompt_tokens are those of the whole conversation
};

/// Talks through sequence 0 of a session, which it borrows and which nobody else should use meanwhile; what others
/// leave there is computed again. Not thread-safe; movable.
class Chat {
 public:
  /// With the template of the model's file. kUnsupported for an encoder; errors of ChatTemplate::from_gguf.
  static Result<Chat> create(Session& session, ChatSettings settings = {});
  static Result<Chat> create(Session& session, ChatTemplate with, ChatSettings settings = {});
  Chat(Chat&&) noexcept;
  Chat& operator=(Chat&&) noexcept;
  ~Chat();

  /// Adds a message of the user and the model's answer to it. On an error the history is as it was: kContextFull,
  /// kCancelled while the prompt was computed, those of the template. A callback that stops or a cancelled generation
  /// leaves the answer as far as it came.
  Result<ChatAnswer> say(std::string_view text, const TextCallback& on_text = {});
  /// Answers the history as it stands, whose last message is a user's or a tool's.
  Result<ChatAnswer> answer(const TextCallback& on_text = {});

  /// The history, to be read, changed, saved or replaced between answers.
  std::vector<ChatMessage>& messages();
  ChatSettings& settings();
  const ChatTemplate& chat_template() const;
  int32_t used_tokens() const;  ///< of the context, by the last answer

 private:
  struct Impl;
  explicit Chat(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
