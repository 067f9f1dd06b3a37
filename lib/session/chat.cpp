// Chat: render, drop what does not fit, compute what is new, write the answer.
#include "hearth/chat.h"

#include <algorithm>
#include <optional>

#include "lib/base/clock.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/session/write_text.h"

namespace hearth {
namespace {

bool is_user(const ChatMessage& message) {
  return message.role == "user";
}

/// Removes the oldest messages before the second user's one, but not a system message at the head. How many; 0 when
/// only the last turn is left.
int32_t drop_oldest(std::vector<ChatMessage>& messages) {
  const bool has_system = !messages.empty() && messages.front().role == "system";
  const auto begin = messages.begin() + (has_system ? 1 : 0);
  if (begin == messages.end()) return 0;
  const auto end = std::find_if(begin + 1, messages.end(), is_user);
  if (end == messages.end()) return 0;
  const auto n = static_cast<int32_t>(end - begin);
  messages.erase(begin, end);
  return n;
}

Result<ChatMessage> read_answer(const ToolUse& use, std::string_view text) {
  Result<ChatParser> parser = use.parser();
  if (!parser) return parser.error();
  ChatMessage message{.role = "assistant"};
  for (const bool last : {false, true}) {
    Result<ChatDelta> part = last ? parser->finish() : parser->push(text);
    if (!part) return part.error();
    message.content += part->content;
    message.reasoning += part->reasoning;
    for (ToolCall& call : part->tool_calls) message.tool_calls.push_back(std::move(call));
  }
  return message;
}

}  // namespace

struct Chat::Impl {
  Impl(Session& borrowed, ChatTemplate with, ChatSettings wanted)
      : session(&borrowed), chat_template(std::move(with)), settings(std::move(wanted)) {}

  Result<std::optional<ToolUse>> learn() const;
  Result<GenerateOptions> options_for(const std::optional<ToolUse>& use) const;
  Result<std::vector<Token>> tokens_of(const std::vector<ChatMessage>& history,
                                       const std::optional<ToolUse>& use) const;
  Result<std::vector<Token>> fit(std::vector<ChatMessage>& history, const std::optional<ToolUse>& use,
                                 int32_t& n_dropped) const;
  Result<ChatAnswer> answer(const TextCallback& on_text);

  Session* session;
  ChatTemplate chat_template;
  ChatSettings settings;
  std::vector<ChatMessage> messages;
  uint64_t n_answers = 0;
};

/// How answers are to be read; nothing where they are content alone.
Result<std::optional<ToolUse>> Chat::Impl::learn() const {
  Result<ToolUse> use = ToolUse::create(chat_template, settings.prompt, settings.tools);
  const bool must = !settings.prompt.tools_json.empty();
  if (!use && (must || use.error().code == ErrorCode::kOutOfMemory)) return use.error();
  if (!use) return std::optional<ToolUse>();
  if (use->has_tools()) return std::optional<ToolUse>(std::move(*use));
  const Result<ChatParser> parser = use->parser();
  if (!parser) return parser.error();
  return parser->knows_reasoning() ? std::optional<ToolUse>(std::move(*use)) : std::nullopt;
}

Result<GenerateOptions> Chat::Impl::options_for(const std::optional<ToolUse>& use) const {
  GenerateOptions options = settings.generate;
  options.sampler.seed += n_answers;
  if (!use) return options;
  options.skip_special = false;  // markers may be control tokens
  if (options.grammar) return options;
  Result<ToolGrammar> rules = use->grammar(&session->model().tokenizer());
  if (!rules) return rules.error();
  options.grammar = std::move(rules->grammar);
  options.grammar_after = std::move(rules->after);
  return options;
}

Result<std::vector<Token>> Chat::Impl::tokens_of(const std::vector<ChatMessage>& history,
                                                 const std::optional<ToolUse>& use) const {
  const Result<ChatPrompt> prompt = use ? use->render(history) : chat_template.render(history, settings.prompt);
  if (!prompt) return prompt.error();
  Result<std::vector<Token>> ids = ChatTemplate::encode(*prompt, session->model().tokenizer());
  if (ids && ids->empty()) return Error{ErrorCode::kInvalidArgument, "the template gives an empty prompt"};
  return ids;
}

/// The prompt's tokens, with `history` cut down as the policy allows.
Result<std::vector<Token>> Chat::Impl::fit(std::vector<ChatMessage>& history, const std::optional<ToolUse>& use,
                                           int32_t& n_dropped) const {
  const int32_t n_ctx = session->options().n_ctx;
  const bool drops = settings.when_full == ContextFullPolicy::kDropOldest;
  const int32_t room = drops ? std::clamp(settings.room, 1, std::max(n_ctx / 2, 1)) : 1;
  for (;;) {
    Result<std::vector<Token>> ids = tokens_of(history, use);
    if (!ids || ids->size() + static_cast<size_t>(room) <= static_cast<size_t>(n_ctx)) return ids;
    const int32_t n = drops ? drop_oldest(history) : 0;
    n_dropped += n;
    if (n > 0) continue;
    if (ids->size() < static_cast<size_t>(n_ctx)) return ids;
    return Error{ErrorCode::kContextFull,
                 concat("the conversation has ", ids->size(), " tokens, and the context holds ", n_ctx)};
  }
}

Result<ChatAnswer> Chat::Impl::answer(const TextCallback& on_text) {
  ChatAnswer result;
  std::vector<ChatMessage> history = messages;
  const Result<std::optional<ToolUse>> use = learn();
  if (!use) return use.error();
  const Result<std::vector<Token>> ids = fit(history, *use, result.dropped_messages);
  if (!ids) return ids.error();
  const Result<GenerateOptions> options = options_for(*use);
  if (!options) return options.error();
  Result<Generator> generator = Generator::create(session->model(), *ids, *options);
  if (!generator) return generator.error();

  const auto start = Clock::now();
  const Result<int32_t> same = compute_prompt(*session, *ids, settings.generate, true);
  if (!same) return same.error();
  result.timings.prompt_seconds = seconds_since(start);
  const auto writing = Clock::now();
  const Status status = write_text(*session, *generator, *options, on_text,
                                   [&] { result.timings.first_token_seconds = seconds_since(start); });
  if (!status) return status.error();
  result.timings.generate_seconds = seconds_since(writing);
  result.timings.prompt_tokens = static_cast<int32_t>(ids->size());
  result.timings.generated_tokens = static_cast<int32_t>(generator->ids().size());
  result.cached_tokens = *same;
  result.text = generator->text();
  result.stop_reason = generator->stop_reason();
  Result<ChatMessage> message =
      *use ? read_answer(**use, result.text) : ChatMessage{.role = "assistant", .content = result.text};
  if (!message) return message.error();
  result.message = *message;
  history.push_back(std::move(*message));
  messages = std::move(history);
  ++n_answers;
  return result;
}

Chat::Chat(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Chat::Chat(Chat&&) noexcept = default;
Chat& Chat::operator=(Chat&&) noexcept = default;
Chat::~Chat() = default;

Result<Chat> Chat::create(Session& session, ChatSettings settings) {
  return guard([&]() -> Result<Chat> {
    Result<ChatTemplate> own = ChatTemplate::from_gguf(session.model().file(), session.model().tokenizer());
    if (!own) return own.error();
    return create(session, std::move(*own), std::move(settings));
  });
}

Result<Chat> Chat::create(Session& session, ChatTemplate with, ChatSettings settings) {
  return guard([&]() -> Result<Chat> {
    const ModelInfo& info = session.model().info();
    if (!info.causal) {
      return Error{ErrorCode::kUnsupported,
                   concat("architecture ", info.architecture, " is an encoder and does not talk")};
    }
    return Chat(std::make_unique<Impl>(session, std::move(with), std::move(settings)));
  });
}

Result<ChatAnswer> Chat::say(std::string_view text, const TextCallback& on_text) {
  const auto add = [&]() -> Status {
    impl_->messages.push_back({.role = "user", .content = std::string(text)});
    return {};
  };
  if (Status added = guard(add); !added) return added.error();
  Result<ChatAnswer> result = answer(on_text);
  if (!result) impl_->messages.pop_back();
  return result;
}

Result<ChatAnswer> Chat::answer(const TextCallback& on_text) {
  return guard([&] { return impl_->answer(on_text); });
}

std::vector<ChatMessage>& Chat::messages() {
  return impl_->messages;
}
ChatSettings& Chat::settings() {
  return impl_->settings;
}
const ChatTemplate& Chat::chat_template() const {
  return impl_->chat_template;
}
int32_t Chat::used_tokens() const {
  return impl_->session->cache().length(0);
}

}  // namespace hearth
