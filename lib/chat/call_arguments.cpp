// Keys in the order of the schema; values as JSON, or as bare text where the format writes strings so.
#include "lib/chat/call_arguments.h"

#include <algorithm>

#include "lib/base/concat.h"

namespace hearth::chat {
namespace {

using grammar::Dfa;
using grammar::Encoding;
using grammar::ExprId;
using grammar::Json;

/// What may stand beside `properties`: nothing else could be enforced here.
bool is_plain_word(std::string_view word) {
  constexpr std::string_view kWords[] = {"type",     "properties", "required", "additionalProperties", "description",
                                         "title",    "$schema",    "$defs",    "definitions",          "$id",
                                         "$comment", "default",    "examples"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

/// Of a string that is written without quotes: words that change nothing, or that are looked at.
bool is_plain_text_word(std::string_view word) {
  constexpr std::string_view kWords[] = {"type",    "enum",     "const",    "description", "title",
                                         "default", "examples", "$comment", "deprecated",  "readOnly"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

std::vector<uint32_t> codes_of(std::string_view utf8) {
  std::vector<uint32_t> codes;
  for (size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<uint8_t>(utf8[i]);
    const size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t code = n == 1 ? lead : lead & (0xFFu >> (n + 1));
    for (size_t k = 1; k < n && i + k < utf8.size(); ++k) code = code << 6 | (static_cast<uint8_t>(utf8[i + k]) & 0x3F);
    codes.push_back(code);
    i += n;
  }
  return codes;
}

class PairWriter {
 public:
  PairWriter(const AnswerFormat& format, grammar::SchemaCompiler& schemas, grammar::ExprPool& pool,
             const std::function<ExprId(std::string_view)>& literal)
      : format_(format), schemas_(schemas), pool_(pool), literal_(literal) {}

  Result<PairList> write(const Json& parameters);

 private:
  Result<ExprId> pair(const std::string& key, const Json& schema);
  Result<ExprId> bare_text(const std::string& key, const Json& schema);
  Result<ExprId> free_text();

  const AnswerFormat& format_;
  grammar::SchemaCompiler& schemas_;
  grammar::ExprPool& pool_;
  const std::function<ExprId(std::string_view)>& literal_;
};

/// Any text that holds none of the three texts that end a value.
Result<ExprId> PairWriter::free_text() {
  Dfa dfa = grammar::any_text();
  for (const std::string* stop : {&format_.value_to_key, &format_.join, &format_.end}) {
    std::string_view marker = *stop;
    marker = without_blanks(marker.substr(0, marker.find(kIdMark)));
    marker = marker.substr(0, marker.find('\n'));
    if (marker.empty()) continue;
    std::optional<Dfa> both = combine(dfa, texts_without(marker), grammar::Both::kAnd);
    if (!both) return Error{ErrorCode::kLimit, "tools: the markers of this model's calls are too long"};
    dfa = std::move(*both);
  }
  return pool_.text(std::move(dfa), Encoding::kPlain);
}

Result<ExprId> PairWriter::bare_text(const std::string& key, const Json& schema) {
  for (const auto& [word, value] : schema.members) {
    if (is_plain_text_word(word)) continue;
    return Error{ErrorCode::kUnsupported, concat("tools, \"", key, "\": ", word,
                                                 " cannot be enforced where strings are written without quotes")};
  }
  std::vector<ExprId> choices;
  const auto add = [&](const Json& value) {
    if (value.is_string()) choices.push_back(pool_.bytes(value.text));
  };
  const Json* constant = schema.find("const");
  const Json* of = schema.find("enum", Json::Kind::kArray);
  if (constant) {
    add(*constant);
  } else if (of) {
    for (const Json* value : of->items) add(*value);
  } else {
    return free_text();
  }
  return pool_.alt(std::move(choices));
}

Result<ExprId> PairWriter::pair(const std::string& key, const Json& schema) {
  const Json* type = schema.is_object() ? schema.find("type", Json::Kind::kString) : nullptr;
  const bool is_bare = type && type->text == "string";
  const std::string& between = is_bare || format_.key_to_json.empty() ? format_.key_to_value : format_.key_to_json;
  Result<ExprId> value = is_bare ? bare_text(key, schema) : Result<ExprId>(schemas_.schema(schema));
  if (!value) return value.error();
  return pool_.seq({pool_.bytes(key), literal_(between), *value});
}

/// A rule for each place: what may follow there when pairs stand before it, and when none does.
Result<PairList> PairWriter::write(const Json& parameters) {
  for (const auto& [word, value] : parameters.members) {
    if (is_plain_word(word)) continue;
    return Error{ErrorCode::kUnsupported, concat("tools: ", word, " cannot be enforced in this model's form of calls")};
  }
  const Json* properties = parameters.find("properties", Json::Kind::kObject);
  const Json* required = parameters.find("required", Json::Kind::kArray);
  const auto is_required = [&](const std::string& key) {
    return required && std::any_of(required->items.begin(), required->items.end(),
                                   [&](const Json* name) { return name->is_string() && name->text == key; });
  };
  ExprId later = pool_.empty();        // after some pair
  ExprId first = grammar::kUndefined;  // where none was written
  bool may_be_empty = true;
  for (size_t i = properties ? properties->members.size() : 0; i-- > 0;) {
    const auto& [key, schema] = properties->members[i];
    const bool must = is_required(key);
    Result<ExprId> written = pair(key, *schema);
    if (!written) return written.error();
    std::vector<ExprId> begin = {pool_.seq({*written, later})};
    if (!must && first != grammar::kUndefined) begin.push_back(first);
    std::vector<ExprId> go_on = {pool_.seq({literal_(format_.value_to_key), *written, later})};
    if (!must) go_on.push_back(later);
    const uint32_t begin_rule = pool_.add_rule("arguments"), later_rule = pool_.add_rule("arguments");
    pool_.define(begin_rule, pool_.alt(std::move(begin)));
    pool_.define(later_rule, pool_.alt(std::move(go_on)));
    first = pool_.rule(begin_rule);
    later = pool_.rule(later_rule);
    may_be_empty = may_be_empty && !must;
  }
  return PairList{first, may_be_empty};
}

}  // namespace

std::string_view without_blanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

/// The automaton of Knuth, Morris and Pratt (1977), without its last state.
Dfa texts_without(std::string_view marker) {
  const std::vector<uint32_t> codes = codes_of(marker);
  const auto n = static_cast<uint32_t>(codes.size());
  std::vector<uint32_t> letters = codes;
  std::sort(letters.begin(), letters.end());
  letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
  Dfa dfa;
  dfa.moves.resize(n);
  dfa.accepts.assign(n, true);
  uint32_t fallback = 0;  // where the longest border of what was read leads
  std::vector<std::vector<uint32_t>> to(n, std::vector<uint32_t>(letters.size()));
  for (uint32_t state = 0; state < n; ++state) {
    for (size_t k = 0; k < letters.size(); ++k) {
      to[state][k] = codes[state] == letters[k] ? state + 1 : state == 0 ? 0 : to[fallback][k];
    }
    const auto letter = std::lower_bound(letters.begin(), letters.end(), codes[state]) - letters.begin();
    if (state > 0) fallback = to[fallback][static_cast<size_t>(letter)];
    uint32_t next = 0;
    for (size_t k = 0; k < letters.size(); ++k) {
      if (letters[k] > next) dfa.moves[state].push_back({next, letters[k] - 1, 0});
      if (to[state][k] < n) dfa.moves[state].push_back({letters[k], letters[k], to[state][k]});
      next = letters[k] + 1;
    }
    dfa.moves[state].push_back({next, grammar::kMaxCode, 0});
  }
  return dfa;
}

Result<PairList> write_pairs(const AnswerFormat& format, const Json& parameters, grammar::SchemaCompiler& schemas,
                             grammar::ExprPool& pool, const std::function<ExprId(std::string_view)>& literal) {
  return PairWriter(format, schemas, pool, literal).write(parameters);
}

}  // namespace hearth::chat
