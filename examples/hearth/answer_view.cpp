// Marks, sections, and how they look.
#include "answer_view.h"

#include <algorithm>

#include "console.h"
#include "json_output.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

using Part = AnswerPart::Kind;

struct Mark {
  std::string_view open, close;
  Part kind;
};

/// As the templates of model families write them.
constexpr Mark kMarks[] = {
    {"<think>", "</think>", Part::kThought},
    {"<thinking>", "</thinking>", Part::kThought},
    {"<thought>", "</thought>", Part::kThought},
    {"<seed:think>", "</seed:think>", Part::kThought},
    {"[THINK]", "[/THINK]", Part::kThought},
    {"<|channel>thought", "<channel|>", Part::kThought},
    {"<tool_call>", "</tool_call>", Part::kToolCall},
    {"<|tool_call|>", "<|/tool_call|>", Part::kToolCall},
    {"<|tool_call>", "<tool_call|>", Part::kToolCall},
    {"<|tool_call_start|>", "<|tool_call_end|>", Part::kToolCall},
    {"[TOOL_CALLS]", "", Part::kToolCall},
    {"<|python_tag|>", "", Part::kToolCall},
};

/// How many bytes at the end of `text` may begin `mark`.
size_t overlap(std::string_view text, std::string_view mark) {
  for (size_t n = std::min(text.size(), mark.size() - 1); n > 0; --n) {
    if (text.ends_with(mark.substr(0, n))) return n;
  }
  return 0;
}

std::string one_call(const Json& call) {
  const Json& function = call.contains("function") && call["function"].is_object() ? call["function"] : call;
  if (!function.contains("name") || !function["name"].is_string()) return {};
  std::string text = function["name"].get<std::string>();
  for (const char* key : {"arguments", "parameters"}) {
    if (!function.contains(key)) continue;
    const Json& value = function[key];
    return text + " " +
           (value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return text;
}

}  // namespace

AnswerSplitter::AnswerSplitter(bool thinking) {
  if (!thinking) return;
  kind_ = Part::kThought;
  close_ = "</think>";
}

void AnswerSplitter::take(size_t n, bool is_last, std::vector<AnswerPart>& parts) {
  if (n > 0 || is_last) parts.push_back({kind_, pending_.substr(0, n), is_last});
  pending_.erase(0, n);
}

std::vector<AnswerPart> AnswerSplitter::push(std::string_view piece) {
  std::vector<AnswerPart> parts;
  pending_ += piece;
  for (;;) {
    if (kind_ != Part::kSaid) {
      const size_t end = close_.empty() ? std::string::npos : pending_.find(close_);
      if (end == std::string::npos) {
        take(pending_.size() - (close_.empty() ? 0 : overlap(pending_, close_)), false, parts);
        return parts;
      }
      take(end, true, parts);
      pending_.erase(0, close_.size());
      kind_ = Part::kSaid;
      continue;
    }
    const Mark* first = nullptr;
    size_t at = std::string::npos, held = 0;
    for (const Mark& mark : kMarks) {
      const size_t found = pending_.find(mark.open);
      held = std::max(held, overlap(pending_, mark.open));
      if (found >= at) continue;
      at = found;
      first = &mark;
    }
    if (!first) {
      take(pending_.size() - held, false, parts);
      return parts;
    }
    take(at, at > 0, parts);
    pending_.erase(0, first->open.size());
    kind_ = first->kind;
    close_ = first->close;
  }
}

std::vector<AnswerPart> AnswerSplitter::finish() {
  std::vector<AnswerPart> parts;
  take(pending_.size(), kind_ != Part::kSaid, parts);
  return parts;
}

std::string describe_tool_calls(const std::string& section) {
  const Json parsed = Json::parse(section, nullptr, false);
  const Json calls = parsed.is_array() ? parsed : Json::array({parsed});
  std::string text;
  for (const Json& call : calls) {
    const std::string one = call.is_object() ? one_call(call) : std::string();
    if (one.empty()) return section;
    text += (text.empty() ? "" : "\n") + one;
  }
  return text.empty() ? section : text;
}

AnswerView::AnswerView(bool thinking, bool show_thoughts)
    : for_people_(console::is_terminal(console::Stream::kOutput)),
      show_thoughts_(show_thoughts),
      splitter_(thinking),
      wrap_(terminal_columns()) {}

bool AnswerView::push(std::string_view piece) {
  if (!piece.empty()) last_ = piece.back();
  return for_people_ ? show(splitter_.push(piece)) : print(piece);
}

bool AnswerView::finish() {
  if (!for_people_) return last_ == '\n' && has_text_ ? true : print("\n");
  bool ok = show(splitter_.finish()) && print(wrap_.finish());
  if (in_thought_) ok = print(style_off()) && ok;
  return (wrap_.at_line_start() && has_text_) ? ok : print("\n") && ok;
}

bool AnswerView::show(const std::vector<AnswerPart>& parts) {
  for (const AnswerPart& part : parts) {
    bool ok = true;
    switch (part.kind) {
      case Part::kSaid: ok = show_said(part); break;
      case Part::kThought: ok = show_thought(part); break;
      case Part::kToolCall:
        call_ += part.text;
        if (!part.is_last) break;
        if (!wrap_.at_line_start()) ok = print(wrap_.push("\n"));
        ok = ok && print(style_on(Style::kToolCall) + wrap_.push("[calls " + describe_tool_calls(call_) + "]") +
                         style_off() + wrap_.push("\n"));
        call_.clear();
        skips_blank_lines_ = true;
        break;
    }
    if (!ok) return false;
    has_text_ = true;
  }
  return true;
}

bool AnswerView::show_said(const AnswerPart& part) {
  std::string_view text = part.text;
  if (skips_blank_lines_) text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
  if (text.empty()) return true;
  skips_blank_lines_ = false;
  return print(wrap_.push(text));
}

bool AnswerView::show_thought(const AnswerPart& part) {
  std::string_view text = part.text;
  if (!in_thought_) {
    in_thought_ = true;
    skips_blank_lines_ = true;
    if (!wrap_.at_line_start() && !print(wrap_.push("\n"))) return false;
    if (!print(style_on(Style::kThinking) + wrap_.push("(thinking)\n"))) return false;
  }
  if (skips_blank_lines_) text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
  if (!text.empty() && show_thoughts_) {
    skips_blank_lines_ = false;
    if (!print(wrap_.push(text))) return false;
  }
  if (!part.is_last) return true;
  in_thought_ = false;
  skips_blank_lines_ = true;
  const std::string line = wrap_.at_line_start() ? "" : wrap_.push("\n");
  return print(line + wrap_.push("(end of thinking)\n") + style_off());
}

}  // namespace hearth_tool
