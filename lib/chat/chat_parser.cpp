// ChatParser: markers found in a stream. Text goes out once it can no longer become a marker.
#include "hearth/chat_parser.h"

#include <algorithm>
#include <map>
#include <set>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/chat/answer_format.h"
#include "lib/chat/call_grammar.h"
#include "lib/chat/chat_parser_impl.h"
#include "lib/json/reader.h"
#include "lib/json/writer.h"

namespace hearth {
namespace {

using chat::AnswerFormat;
using chat::kIdMark;

constexpr size_t kNone = std::string::npos;

bool is_id_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_json(std::string_view text) {
  json::Reader reader(text);
  json::Event event = reader.next();
  while (event != json::Event::kEnd && event != json::Event::kError) event = reader.next();
  return event == json::Event::kEnd;
}

enum class Fit : uint8_t { kNo, kMore, kYes };  ///< kMore: the text ended before the literal did

/// Compares the literal, in which a mark stands for an id, with the text at `at`, and moves `at` behind it.
Fit match(std::string_view literal, std::string_view text, size_t& at, std::string* id) {
  size_t pos = at;
  for (const char c : literal) {
    if (pos == text.size()) return Fit::kMore;
    if (c == kIdMark) {
      const size_t begin = pos;
      while (pos < text.size() && is_id_letter(text[pos])) ++pos;
      if (pos == begin) return Fit::kNo;
      if (id) id->assign(text.substr(begin, pos - begin));
    } else if (text[pos++] != c) {
      return Fit::kNo;
    }
  }
  at = pos;
  return Fit::kYes;
}

/// Where the literal first stands in the text; kNone: nowhere.
size_t find_literal(std::string_view literal, std::string_view text, size_t from) {
  if (literal.find(kIdMark) == kNone) return text.find(literal, from);
  for (size_t at = from; at < text.size(); ++at) {
    size_t end = at;
    if (match(literal, text, end, nullptr) == Fit::kYes) return at;
  }
  return kNone;
}

/// From where on the rest of the text may be the beginning of the literal.
size_t possible_begin(std::string_view literal, std::string_view text, size_t from) {
  const size_t longest = literal.size() + 64;  // ids are short
  for (size_t at = std::max(from, text.size() > longest ? text.size() - longest : 0); at < text.size(); ++at) {
    size_t end = at;
    if (match(literal, text, end, nullptr) == Fit::kMore) return at;
  }
  return text.size();
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == kNone ? std::string_view() : text.substr(begin, end - begin + 1);
}

/// Names of parameters that are strings, by "tool\nparameter".
std::set<std::string> string_parameters(std::string_view tools) {
  std::set<std::string> out;
  std::vector<std::string> path;
  json::Reader reader(tools);
  std::string key, name;
  for (json::Event e = reader.next(); e != json::Event::kEnd && e != json::Event::kError; e = reader.next()) {
    if (e == json::Event::kKey) {
      key = reader.text();
    } else if (e == json::Event::kObject || e == json::Event::kArray) {
      path.push_back(std::exchange(key, ""));
    } else if (e == json::Event::kEndObject || e == json::Event::kEndArray) {
      path.pop_back();
    } else if (e == json::Event::kString && key == "name" && path.size() <= 3 &&
               (path.empty() || path.back() != "properties")) {
      name = reader.text();
    } else if (e == json::Event::kString && key == "type" && reader.text() == "string" && path.size() >= 3 &&
               path[path.size() - 2] == "properties" && path[path.size() - 3] == "parameters") {
      out.insert(concat(name, "\n", path.back()));
    }
  }
  return out;
}

}  // namespace

struct ChatParser::Impl {
  enum class Place : uint8_t { kStart, kReasoning, kContent, kDone };

  void run(bool last, ChatDelta& out);
  bool step(bool last, ChatDelta& out);
  bool begin(bool last);
  bool read_reasoning(bool last, ChatDelta& out);
  bool read_content(bool last, ChatDelta& out);
  Fit begins_call(size_t at) const;
  Fit read_calls(size_t& at, bool last, std::vector<ToolCall>& calls) const;
  Fit read_object(size_t& at, ToolCall& call) const;
  Fit read_pairs(size_t& at, ToolCall& call, bool& is_bare) const;
  std::string value_of(const ToolCall& call, const std::string& key, bool as_json, std::string_view value) const;
  std::string_view text() const { return text_; }

  AnswerFormat format;
  std::set<std::string> strings;
  std::vector<std::string> names;  ///< of tools, where nothing else tells that a call begins
  Place place = Place::kStart;
  bool may_call = true;  ///< of such calls: nothing else was written yet
  std::string text_;
  size_t pos = 0;  ///< what stands before it has been given out
};

/// Skips what may stand before content, or enters the reasoning.
bool ChatParser::Impl::begin(bool last) {
  if (format.has_reasoning && format.begins_in_reasoning) {
    place = Place::kReasoning;
    return true;
  }
  const std::string_view open = trimmed(format.reasoning_begin);
  bool may_come = false;
  if (format.has_reasoning) {
    size_t at = std::min(text_.find_first_not_of(" \t\r\n"), text_.size());
    const Fit fit = match(open, text_, at, nullptr);
    if (fit == Fit::kYes) {
      const std::string_view rest =
          std::string_view(format.reasoning_begin).substr(format.reasoning_begin.find(open) + open.size());
      const Fit blanks = match(rest, text_, at, nullptr);
      if (blanks == Fit::kMore && !last) return false;
      // A block that is empty stands before content that has no reasoning.
      size_t empty = 0;
      const Fit none = match(format.content_begin, text_, empty, nullptr);
      if (none == Fit::kMore && !last) return false;
      pos = none == Fit::kYes && empty >= at ? empty : at;
      place = pos == empty && none == Fit::kYes ? Place::kContent : Place::kReasoning;
      return true;
    }
    may_come = fit == Fit::kMore;
  }
  size_t at = 0;
  const Fit fit = match(format.content_begin, text_, at, nullptr);
  if (!last && (may_come || fit == Fit::kMore)) return false;
  if (fit == Fit::kYes) pos = at;
  may_call = fit != Fit::kYes || at == 0;
  place = Place::kContent;
  return true;
}

bool ChatParser::Impl::read_reasoning(bool last, ChatDelta& out) {
  const std::string_view end = trimmed(format.reasoning_end);
  const size_t before = format.reasoning_end.find(end);
  const std::string_view lead = std::string_view(format.reasoning_end).substr(0, before);
  const std::string_view tail = std::string_view(format.reasoning_end).substr(before + end.size());
  const size_t at = find_literal(end, text_, pos);
  // Where more than blanks stands between thinking and a call, that ends it too.
  const std::string to_call = trimmed(format.glue).empty() ? std::string() : format.glue + format.begin;
  const size_t call = to_call.empty() ? kNone : find_literal(to_call, text_, pos);
  if (call < at) {
    out.reasoning += text().substr(pos, call - pos);
    pos = call + format.glue.size();
    place = Place::kContent;
    return true;
  }
  if (at == kNone) {
    size_t safe = last ? text_.size() : possible_begin(end, text_, pos);
    if (!last && !to_call.empty()) safe = std::min(safe, possible_begin(to_call, text_, pos));
    while (!last && safe > pos && std::string_view(" \t\r\n").find(text_[safe - 1]) != kNone) --safe;
    out.reasoning += text().substr(pos, safe - pos);
    pos = safe;
    return false;
  }
  size_t after = at + end.size();
  const Fit fit = match(tail, text_, after, nullptr);
  if (fit == Fit::kMore && !last) return false;
  if (fit == Fit::kMore) after = text_.size();
  std::string_view reasoning = text().substr(pos, at - pos);
  if (reasoning.ends_with(lead)) reasoning.remove_suffix(lead.size());
  out.reasoning += reasoning;
  pos = after;
  place = Place::kContent;
  return true;
}

bool ChatParser::Impl::read_content(bool last, ChatDelta& out) {
  const bool by_name = format.has_calls && format.begin.empty();
  const bool may_come = format.has_calls && (!by_name || (may_call && pos < text_.size()));
  const size_t call = may_come ? find_literal(format.begin, text_, pos) : kNone;
  const auto give = [&](size_t to) {
    out.content += text().substr(pos, to - pos);
    pos = to;
  };
  if (call == kNone) {
    size_t safe = last || !format.has_calls ? text_.size() : possible_begin(format.begin, text_, pos);
    const bool may_be_glue = !last && format.has_calls;
    if (may_be_glue) safe = std::min(safe, possible_begin(format.glue + format.begin, text_, pos));
    while (may_be_glue && safe > pos && std::string_view(" \t\r\n").find(text_[safe - 1]) != kNone) --safe;
    give(safe);
    return false;
  }
  size_t at = call;
  std::vector<ToolCall> calls;
  const Fit fit = read_calls(at, last, calls);
  if (fit == Fit::kMore && !last) {
    size_t safe = call;
    if (text().substr(pos, call - pos).ends_with(format.glue)) safe -= format.glue.size();
    while (safe > pos && std::string_view(" \t\r\n").find(text_[safe - 1]) != kNone) --safe;
    give(safe);
    return false;
  }
  if (fit != Fit::kYes && by_name) {
    may_call = false;
    return true;
  }
  if (fit != Fit::kYes) {  // malformed: its marker is content
    give(call + 1);
    return true;
  }
  std::string_view content = text().substr(pos, call - pos);
  if (content.ends_with(format.glue)) content.remove_suffix(format.glue.size());
  out.content += content;
  out.tool_calls.insert(out.tool_calls.end(), calls.begin(), calls.end());
  pos = at;
  return true;
}

/// Whether the name of a tool stands there, and what comes between it and its arguments.
Fit ChatParser::Impl::begins_call(size_t at) const {
  Fit best = Fit::kNo;
  for (const std::string& name : names) {
    size_t end = at;
    const Fit fit = match(name + format.before_args, text_, end, nullptr);
    if (fit == Fit::kYes) return fit;
    if (fit == Fit::kMore) best = fit;
  }
  return best;
}

/// From the marker of the first call to the end of the last; kMore: more text is needed to tell.
Fit ChatParser::Impl::read_calls(size_t& at, bool last, std::vector<ToolCall>& calls) const {
  ToolCall call;
  size_t pos_now = at;
  if (match(format.begin, text_, pos_now, &call.id) != Fit::kYes) return Fit::kNo;
  while (true) {
    if (format.begin.empty()) {
      const Fit fit = begins_call(pos_now);
      if (fit != Fit::kYes) return fit;
    }
    bool is_bare = false;
    const Fit body = format.as_pairs ? read_pairs(pos_now, call, is_bare) : read_object(pos_now, call);
    if (body != Fit::kYes) return body;
    const std::string& join = is_bare ? format.no_args_join : format.join;
    const std::string& end = is_bare ? format.no_args_end : format.end;
    size_t joined = pos_now, ended = pos_now;
    std::string next_id;
    const Fit joins = join.empty() ? Fit::kNo : match(join, text_, joined, &next_id);
    const Fit ends = match(end, text_, ended, &call.id);
    if (joins == Fit::kMore && !last) return Fit::kMore;
    if (joins == Fit::kYes) {
      calls.push_back(std::exchange(call, ToolCall{.id = next_id}));
      pos_now = joined;
      continue;
    }
    if (ends == Fit::kMore && !last) return Fit::kMore;
    if (ends == Fit::kNo) return Fit::kNo;
    calls.push_back(std::move(call));
    at = ends == Fit::kYes ? ended : text_.size();
    return Fit::kYes;
  }
}

Fit ChatParser::Impl::read_object(size_t& at, ToolCall& call) const {
  const size_t args = format.before_args.empty() ? text_.find('{', at) : find_literal(format.before_args, text_, at);
  const size_t stop = std::min({args, text_.size()});
  const std::string_view name = text().substr(at, stop - at);
  const bool is_name = name.find_first_of(" \n\t\"'<>{}()[]") == kNone && name.size() <= 200;
  if (args == kNone) {
    const size_t possible = possible_begin(format.before_args, text_, at);
    return text().substr(at, possible - at).find_first_of(" \n\t\"'<>{}()[]") == kNone && possible - at <= 200
               ? Fit::kMore
               : Fit::kNo;
  }
  if (!is_name || name.empty()) return Fit::kNo;
  size_t begin = args;
  if (match(format.before_args, text_, begin, &call.id) != Fit::kYes) return Fit::kNo;
  const size_t size = chat::json_extent(text().substr(begin));
  if (size == 0) return Fit::kMore;
  if (size == kNone || text_[begin] != '{' || !is_json(text().substr(begin, size))) return Fit::kNo;
  call.name = name;
  call.arguments_json = text().substr(begin, size);
  at = begin + size;
  return Fit::kYes;
}

/// Keys and values until the texts that join or end calls.
Fit ChatParser::Impl::read_pairs(size_t& at, ToolCall& call, bool& is_bare) const {
  size_t name_end = at;
  while (name_end < text_.size() && (is_id_letter(text_[name_end]) || text_[name_end] == '.')) ++name_end;
  if (name_end == text_.size()) return Fit::kMore;
  if (name_end == at) return Fit::kNo;
  call.name = text().substr(at, name_end - at);
  size_t pos_now = name_end;
  const Fit first = match(format.before_args, text_, pos_now, &call.id);
  if (first == Fit::kMore) return Fit::kMore;
  if (first == Fit::kNo) {
    is_bare = true;
    call.arguments_json = "{}";
    at = name_end;
    return Fit::kYes;
  }
  json::Writer writer(call.arguments_json);
  writer.begin_object();
  while (true) {
    size_t key_end = find_literal(format.key_to_value, text_, pos_now);
    const size_t json_key_end = format.key_to_json.empty() ? kNone : find_literal(format.key_to_json, text_, pos_now);
    const bool as_json = json_key_end < key_end;
    key_end = std::min(key_end, json_key_end);
    if (key_end == kNone) return Fit::kMore;
    const std::string key(text().substr(pos_now, key_end - pos_now));
    pos_now = key_end;
    (void)match(as_json ? format.key_to_json : format.key_to_value, text_, pos_now, nullptr);
    // The value ends where one of three texts begins.
    size_t value_end = kNone;
    bool goes_on = false;
    for (const std::string* stop : {&format.value_to_key, &format.join, &format.end}) {
      const size_t found = stop->empty() ? kNone : find_literal(*stop, text_, pos_now);
      if (found == kNone || found >= value_end) continue;
      value_end = found;
      goes_on = stop == &format.value_to_key;
    }
    if (value_end == kNone) return Fit::kMore;
    writer.key(key).raw(value_of(call, key, as_json, text().substr(pos_now, value_end - pos_now)));
    pos_now = value_end;
    if (!goes_on) break;
    (void)match(format.value_to_key, text_, pos_now, nullptr);
  }
  writer.end_object();
  at = pos_now;
  return Fit::kYes;
}

/// JSON where the format says so; where it does not, if the text is JSON and the tool does not ask for a string.
std::string ChatParser::Impl::value_of(const ToolCall& call, const std::string& key, bool as_json,
                                       std::string_view value) const {
  const bool may_be_json = format.key_to_json.empty() ? !strings.contains(concat(call.name, "\n", key)) : as_json;
  if (may_be_json && is_json(value)) return std::string(value);
  std::string quoted;
  json::append_string(quoted, value);
  return quoted;
}

bool ChatParser::Impl::step(bool last, ChatDelta& out) {
  switch (place) {
    case Place::kStart: return begin(last);
    case Place::kReasoning: return read_reasoning(last, out);
    case Place::kContent: return read_content(last, out);
    case Place::kDone: return false;
  }
  return false;
}

void ChatParser::Impl::run(bool last, ChatDelta& out) {
  while (step(last, out)) {
  }
  if (last) place = Place::kDone;
  if (place == Place::kStart || pos < 4096) return;
  text_.erase(0, pos);
  pos = 0;
}

ChatParser::ChatParser(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatParser::ChatParser(ChatParser&&) noexcept = default;
ChatParser& ChatParser::operator=(ChatParser&&) noexcept = default;
ChatParser::~ChatParser() = default;

Result<ChatParser> ChatParser::create(const ChatTemplate& chat_template, const ChatOptions& options) {
  return guard([&]() -> Result<ChatParser> {
    Result<AnswerFormat> format = chat::learn_answer_format(chat_template, options);
    if (!format) return format.error();
    return ChatParserInternals::make(std::move(*format), options.tools_json);
  });
}

Result<ChatParser> ChatParserInternals::make(AnswerFormat format, std::string_view tools_json) {
  auto impl = std::make_unique<ChatParser::Impl>();
  impl->format = std::move(format);
  impl->strings = string_parameters(tools_json);
  if (impl->format.has_calls && impl->format.begin.empty()) {
    const Result<std::vector<chat::Tool>> tools = chat::read_tools(tools_json);
    for (size_t i = 0; tools && i < tools->size(); ++i) impl->names.push_back((*tools)[i].name);
  }
  return ChatParser(std::move(impl));
}

Result<ChatDelta> ChatParser::push(std::string_view text) {
  return guard([&]() -> Result<ChatDelta> {
    ChatDelta out;
    impl_->text_ += text;
    impl_->run(false, out);
    return out;
  });
}

Result<ChatDelta> ChatParser::finish() {
  return guard([&]() -> Result<ChatDelta> {
    ChatDelta out;
    impl_->run(true, out);
    return out;
  });
}

bool ChatParser::knows_calls() const {
  return impl_->format.has_calls;
}
bool ChatParser::knows_reasoning() const {
  return impl_->format.has_reasoning;
}

}  // namespace hearth
