// Answers as the model's own template has them, as hearth::ToolUse has learned that. Reasoning that it has not learned
// is looked for as most open models write it: between <think> and </think> at the beginning.
#include "answer_parser.h"

#include <algorithm>

#include "api_error.h"
#include "fields.h"
#include "models.h"

namespace hearth_server {
namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";

/// Bytes at the end of `text` that may be the beginning of `marker`.
size_t partial(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n)
    if (text.substr(text.size() - n) == marker.substr(0, n)) return n;
  return 0;
}

class PlainParser final : public AnswerParser {
 public:
  std::vector<AnswerEvent> push(std::string_view text) override {
    if (text.empty()) return {};
    return {{.kind = AnswerEvent::Kind::kText, .text = std::string(text)}};
  }
  std::vector<AnswerEvent> finish() override { return {}; }
};

/// Takes reasoning between markers off, and leaves the rest to another parser.
class ThinkParser final : public AnswerParser {
 public:
  ThinkParser(bool is_thinking, std::unique_ptr<AnswerParser> rest)
      : state_(is_thinking ? kInReasoning : kBeginning), rest_(std::move(rest)) {}

  std::vector<AnswerEvent> push(std::string_view text) override {
    held_ += text;
    events_.clear();
    while (step()) {
    }
    return std::move(events_);
  }

  std::vector<AnswerEvent> finish() override {
    events_.clear();
    if (state_ == kInReasoning) {
      reason(held_);
    } else if (state_ != kBeforeText) {
      add(rest_->push(held_));
    }
    held_.clear();
    add(rest_->finish());
    return std::move(events_);
  }

 private:
  enum State { kBeginning, kInReasoning, kBeforeText, kInText };

  void add(std::vector<AnswerEvent> events) {
    for (AnswerEvent& event : events) events_.push_back(std::move(event));
  }
  void reason(std::string text) {
    if (!text.empty()) events_.push_back({.kind = AnswerEvent::Kind::kReasoning, .text = std::move(text)});
  }

  /// Goes on by what is certain; false when more text is needed.
  bool step() {
    switch (state_) {
      case kBeginning: return at_beginning();
      case kInReasoning: return in_reasoning();
      case kBeforeText: {
        const size_t first = held_.find_first_not_of("\r\n ");
        if (first == std::string::npos) return false;
        held_.erase(0, first);
        state_ = kInText;
        return true;
      }
      case kInText: add(rest_->push(std::exchange(held_, {}))); return false;
    }
    return false;
  }

  bool at_beginning() {
    const size_t first = held_.find_first_not_of("\r\n ");
    const std::string_view rest = first == std::string::npos ? "" : std::string_view(held_).substr(first);
    if (rest.size() < kThink.size() && kThink.substr(0, rest.size()) == rest) return false;
    const bool thinks = rest.substr(0, kThink.size()) == kThink;
    if (thinks) held_.erase(0, first + kThink.size());
    state_ = thinks ? kInReasoning : kInText;
    return true;
  }

  bool in_reasoning() {
    const size_t at = held_.find(kThinkEnd);
    const bool ends = at != std::string::npos;
    const size_t n = ends ? at : held_.size() - partial(held_, kThinkEnd);
    reason(held_.substr(0, n));
    held_.erase(0, ends ? at + kThinkEnd.size() : n);
    if (ends) state_ = kBeforeText;
    return ends;
  }

  State state_;
  std::unique_ptr<AnswerParser> rest_;
  std::string held_;
  std::vector<AnswerEvent> events_;
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

}  // namespace

std::unique_ptr<AnswerParser> make_parser(const LoadedModel& model, const Ask& ask, std::string_view prompt) {
  if (!ask.tools || !(ask.tools->has_tools() || model.facts.can_think)) return std::make_unique<PlainParser>();
  auto learned = ask.tools->parser();
  if (!learned) throw api_error(learned.error());
  const size_t last = prompt.find_last_not_of("\r\n ");
  const bool is_thinking =
      model.facts.can_think && prompt.substr(0, last == std::string_view::npos ? 0 : last + 1).ends_with(kThink);
  const bool knows_reasoning = learned->knows_reasoning();
  auto parser = std::make_unique<LearnedParser>(std::move(*learned));
  const bool forced = ask.tool_choice == ToolChoice::kRequired || ask.tool_choice == ToolChoice::kNamed;
  if (model.facts.can_think && !knows_reasoning && !forced) {
    return std::make_unique<ThinkParser>(is_thinking, std::move(parser));
  }
  if (is_thinking && knows_reasoning) (void)parser->push(prompt.substr(prompt.rfind(kThink)));
  return parser;
}

}  // namespace hearth_server
