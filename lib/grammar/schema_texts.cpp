// Strings: lengths, patterns, formats and excluded texts as one automaton, or as an expression where one will do.
#include <algorithm>

#include "lib/grammar/formats.h"
#include "lib/grammar/schema.h"
#include "lib/json/writer.h"

namespace hearth::grammar {
namespace {

constexpr int64_t kMaxTextLength = INT32_MAX - 1;

}  // namespace

ExprId SchemaCompiler::quoted(ExprId text) {
  return pool_.seq({pool_.bytes("\""), text, pool_.bytes("\"")});
}

/// A text in quotes, written in the one way that this compiler allows.
ExprId SchemaCompiler::key_text(const std::string& key) {
  std::string text;
  json::append_string(text, key);
  return pool_.bytes(text);
}

/// All that a case says of strings. nullopt: too large.
std::optional<Dfa> SchemaCompiler::text_dfa(const Case& c) {
  std::optional<Dfa> dfa = any_text();
  if (!c.one_of.empty()) {
    std::vector<std::string> texts;
    for (const Json* v : c.one_of[0]) {
      if (v->is_string() && satisfies_case(*v, c, 0)) texts.push_back(v->text);
    }
    return of_texts(texts);
  }
  for (const TextPattern& p : c.patterns) {
    const Dfa* one = pattern_dfa(p);
    if (!one) return std::nullopt;
    if (dfa) dfa = combine(*dfa, *one, p.negated ? Both::kAndNot : Both::kAnd);
  }
  std::vector<std::string> excluded;
  for (const Json* v : c.none_of) {
    if (v->is_string()) excluded.push_back(v->text);
  }
  if (!excluded.empty() && dfa) dfa = combine(*dfa, of_texts(excluded), Both::kAndNot);
  if (!dfa || dfa->is_empty()) return dfa;
  const Lengths lengths = lengths_of(*dfa);
  const int64_t min = lengths.min >= c.min_length ? 0 : c.min_length;
  const int64_t max = lengths.max >= 0 && lengths.max <= c.max_length ? -1 : c.max_length;
  if (min == 0 && max < 0) return dfa;
  const std::optional<Dfa> within = of_length(min, max);
  return within ? combine(*dfa, *within, Both::kAnd) : std::nullopt;
}

ExprId SchemaCompiler::write_one_pattern(const TextPattern& p) {
  if (p.whole) return quoted(pool_.text(*pattern_dfa(p), Encoding::kJson));
  const Result<Regex> regex = parse_regex(p.pattern);
  if (!regex) {
    refuse(*p.source, regex.error().message, regex.error().code);
    return pool_.nothing();
  }
  std::optional<ExprId> counted;
  if (has_long_counts(*regex)) counted = expression_of(*regex, p.whole, Encoding::kJson, pool_);
  if (counted) return quoted(*counted);
  const auto [known, is_new] = pattern_dfas_.try_emplace({p.pattern, p.whole});
  if (is_new) known->second = automaton_of(*regex, p.whole);
  if (known->second) return quoted(pool_.text(*known->second, Encoding::kJson));
  counted = expression_of(*regex, p.whole, Encoding::kJson, pool_);
  if (!counted) refuse(*p.source, "the pattern takes too many states", ErrorCode::kLimit);
  return quoted(counted.value_or(pool_.nothing()));
}

ExprId SchemaCompiler::write_text(const Case& c) {
  const bool excludes = std::any_of(c.none_of.begin(), c.none_of.end(), [](const Json* v) { return v->is_string(); });
  if (c.max_length >= 0 && c.max_length < c.min_length) return pool_.nothing();
  const bool limited = c.min_length > 0 || c.max_length >= 0;
  if (c.patterns.empty() && !excludes) {
    const auto count = [](int64_t n) { return static_cast<int32_t>(std::min(n, kMaxTextLength)); };
    return pool_.seq({pool_.bytes("\""), pool_.string_rest(count(c.min_length), count(c.max_length))});
  }
  if (c.patterns.size() == 1 && !excludes && !limited && !c.patterns[0].negated)
    return write_one_pattern(c.patterns[0]);
  std::optional<Dfa> dfa = text_dfa(c);
  if (!dfa && !failed()) {
    refuse(c.patterns.empty() ? *c.none_of[0] : *c.patterns[0].source,
           "together with the other limits it takes too many states", ErrorCode::kLimit);
  }
  return dfa ? quoted(pool_.text(std::move(*dfa), Encoding::kJson)) : pool_.nothing();
}

}  // namespace hearth::grammar
