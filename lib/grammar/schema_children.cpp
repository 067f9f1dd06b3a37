// What a case asks of the value under a key, at a place of an array, and of keys that it does not name.
#include <algorithm>

#include "lib/grammar/formats.h"
#include "lib/grammar/schema.h"

namespace hearth::grammar {
namespace {

constexpr size_t kMaxPatterns = 6;

Goal normalized(Goal goal) {
  std::sort(goal.begin(), goal.end());
  goal.erase(std::unique(goal.begin(), goal.end()), goal.end());
  // true says nothing
  std::erase_if(goal, [](const Part& p) {
    const bool is_true = p.schema->is(Kind::kTrue) || (p.schema->is_object() && p.schema->members.empty());
    return is_true && !p.negated && p.keyword < 0;
  });
  return goal;
}

}  // namespace

bool SchemaCompiler::is_false(const Goal& goal) {
  return std::any_of(goal.begin(), goal.end(), [](const Part& p) { return p.schema->is(Kind::kFalse) && !p.negated; });
}

/// The automaton of a pattern, made once; nullptr after an error.
const Dfa* SchemaCompiler::pattern_dfa(const TextPattern& p) {
  if (p.whole) return &format_dfa(find_format(p.source->text).pattern);
  const auto [at, is_new] = pattern_dfas_.try_emplace({p.pattern, p.whole});
  if (is_new) {
    const Result<Regex> regex = parse_regex(p.pattern);
    if (!regex) {
      refuse(*p.source, regex.error().message, regex.error().code);
    } else {
      at->second = automaton_of(*regex, p.whole);
    }
  }
  if (!at->second && !failed()) refuse(*p.source, "the pattern takes too many states", ErrorCode::kLimit);
  return at->second && !failed() ? &*at->second : nullptr;
}

Goal SchemaCompiler::goal_of_key(const Case& c, const std::string& key) {
  Goal goal;
  bool evaluated = false;
  for (const Json* schema : c.objects) {
    bool matched = false;
    const auto add = [&](const Json* s) {
      goal.push_back({s, -1, false});
      matched = true;
    };
    const Json* properties = schema->find("properties", Kind::kObject);
    if (const Json* s = properties ? properties->find(key) : nullptr) add(s);
    if (const Json* patterns = schema->find("patternProperties", Kind::kObject)) {
      for (const auto& [pattern, s] : patterns->members) {
        const Dfa* dfa = pattern_dfa({s, pattern, false, false});
        if (dfa && dfa->matches(key)) add(s);
      }
    }
    const Json* additional = schema->find("additionalProperties");
    if (!matched && additional) add(additional);
    evaluated |= matched;
  }
  for (const Json* s : c.unevaluated) {
    if (!evaluated) goal.push_back({s, -1, false});
  }
  if (const auto more = c.more.find(key); more != c.more.end()) {
    goal.insert(goal.end(), more->second.begin(), more->second.end());
  }
  return normalized(std::move(goal));
}

/// Keys that are not in `listed`, parted by the patterns that they match.
std::vector<OtherKeys> SchemaCompiler::other_keys(const Case& c, const std::vector<std::string>& listed) {
  struct Pattern {
    const Json* owner;
    const Json* schema;
    const Dfa* dfa;
  };
  std::vector<Pattern> patterns;
  for (const Json* schema : c.objects) {
    const Json* all = schema->find("patternProperties", Kind::kObject);
    if (!all) continue;
    for (const auto& [pattern, s] : all->members) {
      const Dfa* dfa = pattern_dfa({s, pattern, false, false});
      if (!dfa) return {};
      patterns.push_back({schema, s, dfa});
    }
    if (patterns.size() > kMaxPatterns) refuse(*all, "too many patterns", ErrorCode::kLimit);
  }
  if (failed()) return {};
  std::optional<Dfa> rest = any_text();
  for (const Part& part : c.names) {
    const Cases& cases = cases_of({part});
    std::optional<Dfa> names = of_texts({});
    for (const Case& name : cases) {
      const std::optional<Dfa> one = (name.types & kStringBit) != 0 ? text_dfa(name) : of_texts({});
      if (names && one) names = combine(*names, *one, Both::kOr);
      if (!one) names.reset();
    }
    if (failed()) return {};
    if (names && rest) rest = combine(*rest, *names, Both::kAnd);
    if (!names) rest.reset();
  }
  if (!listed.empty() && rest) rest = combine(*rest, of_texts(listed), Both::kAndNot);
  std::vector<OtherKeys> out;
  for (uint32_t which = 0; which < (1u << patterns.size()); ++which) {
    std::optional<Dfa> keys = rest;
    for (size_t i = 0; i < patterns.size() && keys; ++i) {
      if (!keys->is_empty()) keys = combine(*keys, *patterns[i].dfa, (which >> i & 1) ? Both::kAnd : Both::kAndNot);
    }
    if (!keys) {
      refuse(c.objects.empty() ? *c.names[0].schema : *c.objects[0], "its keys take too many states",
             ErrorCode::kLimit);
      return {};
    }
    if (keys->is_empty()) continue;
    OtherKeys group{.any = patterns.empty() && listed.empty() && c.names.empty(), .keys = std::move(*keys), .goal = {}};
    bool evaluated = false;
    for (const Json* schema : c.objects) {
      bool matched = false;
      for (size_t i = 0; i < patterns.size(); ++i) {
        if (patterns[i].owner != schema || !(which >> i & 1)) continue;
        group.goal.push_back({patterns[i].schema, -1, false});
        matched = true;
      }
      const Json* additional = schema->find("additionalProperties");
      if (!matched && additional) group.goal.push_back({additional, -1, false}), matched = true;
      evaluated |= matched;
    }
    for (const Json* s : c.unevaluated) {
      if (!evaluated) group.goal.push_back({s, -1, false});
    }
    group.goal = normalized(std::move(group.goal));
    if (!is_false(group.goal)) out.push_back(std::move(group));
  }
  return out;
}

size_t SchemaCompiler::n_prefix_items(const Case& c) const {
  size_t n = 0;
  for (const Json* schema : c.arrays) {
    const Json* items = schema->find("items", Kind::kArray);
    const Json* prefix = schema->find("prefixItems", Kind::kArray);
    if (prefix) n = std::max(n, prefix->items.size());
    if (items) n = std::max(n, items->items.size());
  }
  return n;
}

/// Of places from n_prefix_items on all goals are equal.
Goal SchemaCompiler::goal_of_item(const Case& c, size_t i) {
  Goal goal;
  for (const Json* schema : c.arrays) {
    const Json* items = schema->find("items");
    const Json* prefix = schema->find("prefixItems", Kind::kArray);
    const Json* rest = items;
    if (items && items->is_array()) {  // before 2020-12
      prefix = items;
      rest = schema->find("additionalItems");
    }
    const Json* here = prefix && i < prefix->items.size() ? prefix->items[i] : rest;
    if (here) goal.push_back({here, -1, false});
  }
  return normalized(std::move(goal));
}

}  // namespace hearth::grammar
