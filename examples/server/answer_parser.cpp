// Answers as the model's own template has them, where hearth::ChatParser has learned that. Otherwise the form that most
// open models share: reasoning between <think> and </think> at the beginning, calls as JSON between <tool_call> and
// </tool_call>. A marker that may be coming is held back; a call that is malformed comes out as text.
#include "answer_parser.h"

#include <algorithm>

#include "api_error.h"
#include "fields.h"
#include "hearth/chat_parser.h"
#include "models.h"

namespace hearth_server {
namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>", kCall = "<tool_call>", kCallEnd = "</tool_call>";

/// Bytes at the end of `text` that may be the beginning of `marker`.
size_t partial(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n)
    if (text.substr(text.size() - n) == marker.substr(0, n)) return n;
  return 0;
}

class MarkedParser final : public AnswerParser {
 public:
  struct Options {
    bool reasoning = false;    ///< <think> at the beginning is no text
    bool is_thinking = false;  ///< the prompt has begun it already
    bool calls = false;
    bool forced = false;  ///< the whole answer is one call, without markers
  };
  explicit MarkedParser(Options options) : options_(options) {
    state_ = options.is_thinking ? kInReasoning : options.reasoning ? kBeginning : kInText;
    if (options.forced && state_ == kInText) state_ = kInCall;
  }

  std::vector<AnswerEvent> push(std::string_view text) override {
    held_ += text;
    events_.clear();
    while (step()) {
    }
    return std::move(events_);
  }

  std::vector<AnswerEvent> finish() override {
    events_.clear();
    if (state_ == kInCall) {
      end_call(held_);
    } else if (state_ != kBeforeText) {
      emit(state_ == kInReasoning ? AnswerEvent::Kind::kReasoning : AnswerEvent::Kind::kText, held_);
    }
    held_.clear();
    return std::move(events_);
  }

 private:
  enum State { kBeginning, kInReasoning, kBeforeText, kInText, kInCall };

  void emit(AnswerEvent::Kind kind, std::string text) {
    if (!text.empty()) events_.push_back({.kind = kind, .text = std::move(text)});
  }

  /// Goes on by what is certain; false when more text is needed.
  bool step() {
    switch (state_) {
      case kBeginning: return at_beginning();
      case kInReasoning: return until(kThinkEnd, AnswerEvent::Kind::kReasoning, kBeforeText);
      case kBeforeText: {
        const size_t first = held_.find_first_not_of("\r\n ");
        if (first == std::string::npos) return false;
        held_.erase(0, first);
        state_ = options_.forced && n_calls_ == 0 ? kInCall : kInText;
        return true;
      }
      case kInText:
        if (options_.calls) return until(kCall, AnswerEvent::Kind::kText, kInCall);
        emit(AnswerEvent::Kind::kText, std::exchange(held_, {}));
        return false;
      case kInCall: return in_call();
    }
    return false;
  }

  bool at_beginning() {
    const size_t first = held_.find_first_not_of("\r\n ");
    const std::string_view rest = first == std::string::npos ? "" : std::string_view(held_).substr(first);
    if (rest.size() < kThink.size() && kThink.substr(0, rest.size()) == rest) return false;
    const bool thinks = rest.substr(0, kThink.size()) == kThink;
    if (thinks) held_.erase(0, first + kThink.size());
    state_ = thinks ? kInReasoning : options_.forced ? kInCall : kInText;
    return true;
  }

  /// Hands out text up to a marker.
  bool until(std::string_view marker, AnswerEvent::Kind kind, State next) {
    const size_t at = held_.find(marker);
    if (at != std::string::npos) {
      emit(kind, held_.substr(0, at));
      held_.erase(0, at + marker.size());
      state_ = next;
      return true;
    }
    const size_t n = held_.size() - partial(held_, marker);
    emit(kind, held_.substr(0, n));
    held_.erase(0, n);
    return false;
  }

  bool in_call() {
    const size_t at = options_.forced ? std::string::npos : held_.find(kCallEnd);
    if (at == std::string::npos) return false;
    end_call(held_.substr(0, at));
    held_.erase(0, at + kCallEnd.size());
    state_ = kBeforeText;
    return true;
  }

  void end_call(const std::string& text) {
    const Json call = Json::parse(text, nullptr, false);
    const Json* arguments = call.is_object() ? field(call, "arguments") : nullptr;
    const bool named = call.is_object() && call.contains("name") && call["name"].is_string();
    if (!named || (arguments != nullptr && !arguments->is_object())) {
      return emit(AnswerEvent::Kind::kText, options_.forced ? text : std::string(kCall) + text);
    }
    AnswerEvent event{.kind = AnswerEvent::Kind::kCall, .call = n_calls_};
    event.call_id = random_id("call_").substr(0, 13);
    event.call_name = call["name"].get<std::string>();
    events_.push_back(std::move(event));
    events_.push_back({.kind = AnswerEvent::Kind::kArguments,
                       .text = arguments != nullptr ? to_text(*arguments) : "{}",
                       .call = n_calls_});
    ++n_calls_;
  }

  Options options_;
  State state_ = kInText;
  std::string held_;
  std::vector<AnswerEvent> events_;
  int32_t n_calls_ = 0;
};

/// The library's parser, whose calls come whole.
class LearnedParser final : public AnswerParser {
 public:
  explicit LearnedParser(hearth::ChatParser parser) : parser_(std::move(parser)) {}

  std::vector<AnswerEvent> push(std::string_view text) override { return events_of(parser_.push(text)); }
  std::vector<AnswerEvent> finish() override { return events_of(parser_.finish()); }

 private:
  std::vector<AnswerEvent> events_of(hearth::Result<hearth::ChatDelta> delta) {
    if (!delta) throw api_error(delta.error());
    std::vector<AnswerEvent> events;
    if (!delta->reasoning.empty()) {
      events.push_back({.kind = AnswerEvent::Kind::kReasoning, .text = std::move(delta->reasoning)});
    }
    if (!delta->content.empty()) {
      events.push_back({.kind = AnswerEvent::Kind::kText, .text = std::move(delta->content)});
    }
    for (hearth::ToolCall& call : delta->tool_calls) {
      AnswerEvent event{.kind = AnswerEvent::Kind::kCall, .call = n_calls_};
      event.call_id = call.id.empty() ? random_id("call_").substr(0, 13) : std::move(call.id);
      event.call_name = std::move(call.name);
      events.push_back(std::move(event));
      events.push_back(
          {.kind = AnswerEvent::Kind::kArguments, .text = std::move(call.arguments_json), .call = n_calls_});
      ++n_calls_;
    }
    return events;
  }

  hearth::ChatParser parser_;
  int32_t n_calls_ = 0;
};

/// Null when nothing that is wanted could be learned.
std::unique_ptr<AnswerParser> learned_parser(const LoadedModel& model, const Ask& ask, bool calls, bool reasoning) {
  if (!model.chat || !(calls || reasoning)) return nullptr;
  hearth::ChatOptions options{.tools_json = calls ? ask.tools_json : ""};
  options.variables = ask.variables;
  auto parser = hearth::ChatParser::create(*model.chat, options);
  if (!parser || (calls && !parser->knows_calls()) || (reasoning && !parser->knows_reasoning())) return nullptr;
  return std::make_unique<LearnedParser>(std::move(*parser));
}

}  // namespace

std::unique_ptr<AnswerParser> make_parser(const LoadedModel& model, const Ask& ask, std::string_view prompt) {
  MarkedParser::Options options;
  if (ask.is_chat) {
    options.reasoning = model.facts.can_think;
    const size_t last = prompt.find_last_not_of("\r\n ");
    const std::string_view trimmed = prompt.substr(0, last == std::string_view::npos ? 0 : last + 1);
    options.is_thinking = options.reasoning && trimmed.ends_with(kThink);
    options.calls = !ask.tools_json.empty() && ask.tool_choice != ToolChoice::kNone;
    options.forced = options.calls && ask.tool_choice != ToolChoice::kAuto;
  }
  if (!options.forced) {
    if (auto parser = learned_parser(model, ask, options.calls, options.reasoning)) {
      if (options.is_thinking) (void)parser->push(prompt.substr(prompt.rfind(kThink)));
      return parser;
    }
  }
  return std::make_unique<MarkedParser>(options);
}

}  // namespace hearth_server
