// Learning how a template writes an assistant's message, by rendering some that are easy to find again.
#include "lib/chat/answer_format.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "lib/base/concat.h"

namespace hearth::chat {
namespace {

constexpr size_t kNone = std::string::npos;
const std::string kContent = "Qcontent7", kReasoning = "Qreason7";
const std::string kNames[] = {"qname71", "qname72"}, kIds[] = {"qid7aaaa1", "qid7aaaa2"};
const std::string kKeys[] = {"qkeyA7", "qkeyB7"}, kValues[] = {"qvalA7", "qvalB7"};

std::string probe_tools() {
  std::string out = "[";
  for (const std::string& name : kNames) {
    if (out.size() > 1) out += ", ";
    concat_to(out, R"({"type": "function", "function": {"name": ")", name, R"(", "description": "d", "parameters": )",
              R"({"type": "object", "properties": {")", kKeys[0], R"(": {"type": "string", "description": "d"}, ")",
              kKeys[1], R"(": {"type": "string", "description": "d"}}, "required": []}}})");
  }
  return out + "]";
}

ToolCall probe_call(int i, bool with_args) {
  const std::string args =
      concat("{\"", kKeys[0], "\": \"", kValues[0], "\", \"", kKeys[1], "\": \"", kValues[1], "\"}");
  return {.id = kIds[i], .name = kNames[i], .arguments_json = with_args ? args : "{}"};
}

/// `text` with the probe's ids replaced by the mark.
std::string with_id_marks(std::string text) {
  for (const std::string& id : kIds) {
    for (size_t at = text.find(id); at != kNone; at = text.find(id)) text.replace(at, id.size(), 1, kIdMark);
  }
  return text;
}

/// As ChatPrompt::text(), which is empty when memory is out.
std::string all_of(const ChatPrompt& prompt) {
  std::string text;
  for (const ChatPrompt::Piece& piece : prompt.pieces) text += piece.text;
  return text;
}

size_t leading_blanks(std::string_view text) {
  return std::min(text.find_first_not_of(" \t\r\n"), text.size());
}

class Learner {
 public:
  Learner(const ChatTemplate& chat_template, const ChatOptions& options) : template_(chat_template), options_(options) {
    options_.tools_json = probe_tools();
  }

  Result<AnswerFormat> run() {
    options_.add_generation_prompt = true;
    Result<ChatPrompt> prompt = template_.render({{.role = "user", .content = "Qask7"}}, options_);
    if (!prompt && prompt.error().code != ErrorCode::kOutOfMemory) {
      options_.tools_json.clear();
      prompt = template_.render({{.role = "user", .content = "Qask7"}}, options_);
    }
    if (!prompt) return prompt.error();
    prompt_ = all_of(*prompt);
    options_.add_generation_prompt = false;
    learn_content();
    learn_reasoning();
    learn_calls();
    if (out_of_memory_) return *out_of_memory_;  // what could not be rendered for that is not known
    return std::move(format_);
  }

 private:
  /// What the template writes after the prompt for a message; nullopt when it fails. Some write calls only where there
  /// is no content.
  std::optional<std::string> answer(const ChatMessage& message) {
    std::optional<std::string> text = written(message);
    if (message.tool_calls.empty() || !message.content.empty() || (text && text->find(kNames[0]) != kNone)) return text;
    ChatMessage without = message;
    without.no_content = true;
    std::optional<std::string> other = written(without);
    if (!other || other->find(kNames[0]) == kNone) return text;
    format_.needs_no_content = true;
    return other;
  }
  std::optional<std::string> written(const ChatMessage& message) {
    const Result<ChatPrompt> made = template_.render({{.role = "user", .content = "Qask7"}, message}, options_);
    if (!made && made.error().code == ErrorCode::kOutOfMemory) out_of_memory_ = made.error();
    if (!made) return std::nullopt;
    const std::string text = all_of(*made);
    const auto differ = std::mismatch(prompt_.begin(), prompt_.end(), text.begin(), text.end());
    continues_prompt_ = differ.first == prompt_.end();
    auto begin = static_cast<size_t>(differ.second - text.begin());
    // Where they part within a marker, all of it belongs to the answer.
    while (!continues_prompt_ && begin > 0 && std::string_view(">]\n").find(text[begin - 1]) == kNone) --begin;
    return text.substr(begin);
  }
  void learn_content();
  void learn_reasoning();
  void learn_calls();
  bool learn_one_call(const std::string& text, size_t name_end);
  void mark_index();
  void learn_json_values();
  std::string without_turn_end(std::string text) const;
  std::string between(const std::string& text, size_t begin, size_t end) const {
    return with_id_marks(text.substr(begin, end - begin));
  }

  const ChatTemplate& template_;
  ChatOptions options_;
  std::string prompt_, turn_end_;
  bool continues_prompt_ = false;  ///< the last answer() began with all of the prompt
  bool content_at_once_ = false;   ///< content follows the prompt without anything between
  std::optional<Error> out_of_memory_;
  AnswerFormat format_;
};

void Learner::learn_content() {
  const auto text = answer({.role = "assistant", .content = kContent});
  const size_t at = text ? text->find(kContent) : kNone;
  if (at == kNone) return;
  format_.content_begin = text->substr(0, at);
  content_at_once_ = continues_prompt_ && at == 0;
  turn_end_ = text->substr(at + kContent.size());
}

/// A prompt may end with an opening tag whose closing one then ends the reasoning.
void Learner::learn_reasoning() {
  const std::string thinking = concat("{\"thinking\": \"", kReasoning, "\"}");
  for (const ChatMessage& message : {ChatMessage{.role = "assistant", .content = kContent, .reasoning = kReasoning},
                                     ChatMessage{.role = "assistant", .content = kContent, .more_json = thinking}}) {
    const auto text = answer(message);
    const size_t at = text ? text->find(kReasoning) : kNone;
    const size_t content = at == kNone ? kNone : text->find(kContent, at);
    if (content == kNone) continue;
    format_.has_reasoning = true;
    format_.reasoning_begin = text->substr(0, at);
    format_.begins_in_reasoning = at == 0;
    format_.reasoning_end = text->substr(at + kReasoning.size(), content - at - kReasoning.size());
    if (leading_blanks(format_.reasoning_end) == format_.reasoning_end.size()) format_.has_reasoning = false;
    if (format_.has_reasoning) return;
  }
  if (content_at_once_) return;  // what is written there counts as content
  std::string_view prompt(prompt_);
  while (!prompt.empty() && (prompt.back() == '\n' || prompt.back() == ' ')) prompt.remove_suffix(1);
  const size_t open = prompt.rfind('<');
  if (open == kNone || !prompt.ends_with('>') || prompt.size() - open < 4) return;
  const std::string_view tag = prompt.substr(open + 1, prompt.size() - open - 2);
  const bool is_word = std::all_of(tag.begin(), tag.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!is_word) return;
  format_.has_reasoning = format_.begins_in_reasoning = true;
  format_.reasoning_end = concat("</", tag, ">");
}

/// The model stops where its turn ends: what follows is no part of its text.
std::string Learner::without_turn_end(std::string text) const {
  if (!turn_end_.empty() && text.ends_with(turn_end_)) text.resize(text.size() - turn_end_.size());
  return text;
}

/// Arguments as one JSON object, or as pairs.
bool Learner::learn_one_call(const std::string& text, size_t name_end) {
  for (size_t at = text.find('{', name_end); at != kNone; at = text.find('{', at + 1)) {
    const size_t size = json_extent(std::string_view(text).substr(at));
    if (size == 0 || size == kNone) continue;
    const std::string_view args = std::string_view(text).substr(at, size);
    const size_t key = args.find(kKeys[0]);
    if (key == kNone || args.find(kValues[1]) == kNone || args.substr(1, key).find('{') != kNone) continue;
    format_.before_args = between(text, name_end, at);
    format_.end = with_id_marks(without_turn_end(text.substr(at + size)));
    return true;
  }
  const size_t a = text.find(kKeys[0], name_end);
  const size_t b = a == kNone ? kNone : text.find(kValues[0], a);
  const size_t c = b == kNone ? kNone : text.find(kKeys[1], b);
  const size_t d = c == kNone ? kNone : text.find(kValues[1], c);
  if (d == kNone) return false;
  format_.as_pairs = true;
  format_.before_args = between(text, name_end, a);
  format_.key_to_value = between(text, a + kKeys[0].size(), b);
  format_.value_to_key = between(text, b + kValues[0].size(), c);
  format_.end = with_id_marks(without_turn_end(text.substr(d + kValues[1].size())));
  return !format_.key_to_value.empty() && !format_.value_to_key.empty() &&
         between(text, c + kKeys[1].size(), d) == format_.key_to_value;
}

/// Calls may be numbered after their names: there the two of a pair differ in one digit.
void Learner::mark_index() {
  const auto two = answer({.role = "assistant", .tool_calls = {probe_call(0, true), probe_call(1, true)}});
  const size_t second = two ? two->find(kNames[1]) : kNone;
  if (second == kNone) return;
  const size_t begin = second + kNames[1].size();
  if (two->size() < begin + format_.before_args.size()) return;
  const std::string there = two->substr(begin, format_.before_args.size());
  const auto differ = std::mismatch(there.begin(), there.end(), format_.before_args.begin());
  if (differ.first == there.end() || std::string_view("12").find(*differ.first) == kNone) return;
  if (std::string_view("01").find(*differ.second) != kNone &&
      std::equal(differ.first + 1, there.end(), differ.second + 1)) {
    *differ.second = kIdMark;
  }
}

/// Of pairs: whether a number is written between other texts than a string.
void Learner::learn_json_values() {
  const std::string args = concat("{\"", kKeys[0], "\": 7117, \"", kKeys[1], "\": \"", kValues[1], "\"}");
  const auto text =
      answer({.role = "assistant", .tool_calls = {{.id = kIds[0], .name = kNames[0], .arguments_json = args}}});
  const size_t name = text ? text->find(kNames[0]) : kNone;
  const size_t key = name == kNone ? kNone : text->find(kKeys[0], name);
  const size_t value = key == kNone ? kNone : text->find("7117", key);
  if (value == kNone) return;
  const std::string between_them = between(*text, key + kKeys[0].size(), value);
  if (between_them != format_.key_to_value) format_.key_to_json = between_them;
}

void Learner::learn_calls() {
  const auto render = [&](const std::string& content, std::vector<ToolCall> calls) {
    auto text = answer({.role = "assistant", .content = content, .tool_calls = std::move(calls)});
    return text;
  };
  const auto one = render("", {probe_call(0, true)});
  const size_t name = one ? one->find(kNames[0]) : kNone;
  if (name == kNone || !learn_one_call(*one, name + kNames[0].size())) return;
  // What stands before the name: after content where the template shows both, otherwise from the beginning.
  std::string begin = one->substr(0, name);
  if (!format_.content_begin.empty() && begin.starts_with(format_.content_begin))
    begin.erase(0, format_.content_begin.size());
  const auto both = render(kContent, {probe_call(0, true)});
  const size_t content = both ? both->find(kContent) : kNone;
  const size_t name_after = content == kNone ? kNone : both->find(kNames[0], content);
  if (name_after != kNone) begin = both->substr(content + kContent.size(), name_after - content - kContent.size());
  begin = with_id_marks(std::move(begin));
  size_t blanks = leading_blanks(begin);
  // Without content less may stand before a call: then what both have is its beginning.
  const std::string_view alone = std::string_view(*one).substr(0, name);
  const std::string_view least = alone.substr(leading_blanks(alone));
  if (!least.empty() && least.size() < begin.size() - blanks && begin.ends_with(least))
    blanks = begin.size() - least.size();
  if (name_after != kNone) format_.glue = begin.substr(0, blanks);
  format_.begin = begin.substr(blanks);
  // A name right behind the prompt can be told from content where that begins otherwise.
  const bool at_start = name == 0 && !format_.content_begin.empty() && !format_.before_args.empty();
  if (format_.begin.empty() && (!at_start || format_.as_pairs)) return;
  // The second of two calls begins where the arguments of the first have ended.
  const auto after_first = [&](bool with_args) -> std::string {
    const auto two = render("", {probe_call(0, with_args), probe_call(1, true)});
    const size_t second = two ? two->find(kNames[1]) : kNone;
    size_t first = two ? two->find(kNames[0]) : kNone;
    if (second == kNone || first == kNone || first > second) return {};
    first += kNames[0].size();
    if (with_args) {
      const size_t value = two->find(kValues[1], first);
      if (value == kNone || value > second) return {};
      first = value + kValues[1].size();
      if (!format_.as_pairs) first = two->find('}', first) + 1;
    }
    return between(*two, first, second);
  };
  format_.join = after_first(true);
  mark_index();
  if (format_.as_pairs) {
    learn_json_values();
    const auto bare = render("", {probe_call(0, false)});
    const size_t at = bare ? bare->find(kNames[0]) : kNone;
    if (at != kNone) format_.no_args_end = with_id_marks(without_turn_end(bare->substr(at + kNames[0].size())));
    format_.no_args_join = after_first(false);
  }
  format_.has_calls = true;
}

}  // namespace

size_t json_extent(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] != '{' && text[0] != '[') return kNone;
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

Result<AnswerFormat> learn_answer_format(const ChatTemplate& chat_template, const ChatOptions& options) {
  return Learner(chat_template, options).run();
}

}  // namespace hearth::chat
