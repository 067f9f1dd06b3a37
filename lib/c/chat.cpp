// Twin of hearth/chat.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

Result<ChatSettings> chat_settings(const HearthChatSettings* settings) {
  const auto full = complete(settings, hearth_chat_settings_init);
  if (!full) return full.error();
  ChatSettings made;
  if (auto s = set_enum(made.when_full, full->when_full, ContextFullPolicy::kDropOldest, "when_full"); !s) {
    return s.error();
  }
  auto how = to_cpp(full->generate, made.generate);
  if (!how) return how.error();
  auto prompt = to_cpp(full->prompt);
  if (!prompt) return prompt.error();
  auto tools = to_cpp(full->tools);
  if (!tools) return tools.error();
  made.generate = std::move(*how);
  made.prompt = std::move(*prompt);
  made.tools = std::move(*tools);
  made.room = full->room;
  return made;
}

Status hand_out_answer(Result<ChatAnswer> made, HearthChatAnswer** out) {
  if (!made) return made.error();
  if (out == nullptr) return {};
  auto handle = std::make_unique<HearthChatAnswer>();
  handle->answer = std::move(*made);
  handle->calls = calls_of(handle->answer.message.tool_calls);
  *out = handle.release();
  return {};
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_chat_settings_init(HearthChatSettings* settings) {
  const hearth::ChatSettings defaults;
  fill(settings, {0, nullptr, nullptr, nullptr, static_cast<int32_t>(defaults.when_full), defaults.room});
}

void hearth_chat_answer_free(HearthChatAnswer* answer) {
  delete answer;
}
HearthText hearth_chat_answer_text(const HearthChatAnswer* answer) {
  return answer == nullptr ? lend({}) : lend(answer->answer.text);
}
void hearth_chat_answer_message(const HearthChatAnswer* answer, HearthChatMessage* out) {
  if (answer != nullptr) fill(out, to_c(answer->answer.message, answer->calls));
}
int32_t hearth_chat_answer_stop_reason(const HearthChatAnswer* answer) {
  return answer == nullptr ? -1 : static_cast<int32_t>(answer->answer.stop_reason);
}
int32_t hearth_chat_answer_cached_tokens(const HearthChatAnswer* answer) {
  return answer == nullptr ? 0 : answer->answer.cached_tokens;
}
int32_t hearth_chat_answer_dropped_messages(const HearthChatAnswer* answer) {
  return answer == nullptr ? 0 : answer->answer.dropped_messages;
}
void hearth_chat_answer_timings(const HearthChatAnswer* answer, HearthTimings* out) {
  if (answer != nullptr) fill(out, to_c(answer->answer.timings));
}

HearthCode hearth_chat_create(HearthSession* session, const HearthChatTemplate* chat_template,
                              const HearthChatSettings* settings, HearthChat** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{session, "session"}, {out, "out"}}); !s) return s;
    auto how = chat_settings(settings);
    if (!how) return how.error();
    auto made = chat_template == nullptr
                    ? hearth::Chat::create(session->session, std::move(*how))
                    : hearth::Chat::create(session->session, chat_template->compiled, std::move(*how));
    if (!made) return made.error();
    *out = new HearthChat(std::move(*made));
    return {};
  });
}
void hearth_chat_free(HearthChat* chat) {
  delete chat;
}
HearthCode hearth_chat_say(HearthChat* chat, const char* text, size_t text_size, HearthTextCallback on_text, void* user,
                           HearthChatAnswer** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat, "chat"}, {text, "text"}}); !s) return s;
    return hand_out_answer(chat->chat.say(view(text, text_size), to_cpp(on_text, user)), out);
  });
}
HearthCode hearth_chat_answer(HearthChat* chat, HearthTextCallback on_text, void* user, HearthChatAnswer** out,
                              HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat, "chat"}}); !s) return s;
    return hand_out_answer(chat->chat.answer(to_cpp(on_text, user)), out);
  });
}
bool hearth_chat_messages(HearthChat* chat, size_t i, HearthChatMessage* out) {
  if (chat == nullptr || i >= chat->chat.messages().size()) return false;
  const hearth::ChatMessage& message = chat->chat.messages()[i];
  return hearth::guard_or(false, [&] {
    chat->calls = calls_of(message.tool_calls);
    fill(out, to_c(message, chat->calls));
    return true;
  });
}
HearthCode hearth_chat_set_messages(HearthChat* chat, const HearthChatMessage* messages, size_t n, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat, "chat"}}); !s) return s;
    auto all = to_cpp(messages, n);
    if (!all) return all.error();
    chat->chat.messages() = std::move(*all);
    return {};
  });
}
HearthCode hearth_chat_set_settings(HearthChat* chat, const HearthChatSettings* settings, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat, "chat"}}); !s) return s;
    auto how = chat_settings(settings);
    if (!how) return how.error();
    chat->chat.settings() = std::move(*how);
    return {};
  });
}
const HearthChatTemplate* hearth_chat_chat_template(const HearthChat* chat) {
  return chat == nullptr ? nullptr : &chat->compiled;
}
int32_t hearth_chat_used_tokens(const HearthChat* chat) {
  return chat == nullptr ? 0 : chat->chat.used_tokens();
}

}  // extern "C"
