// Whether a value satisfies a goal, and whether two goals exclude each other. Answers are safe: "does not satisfy" and
// "not disjoint" where it cannot be told.
#include <algorithm>

#include "lib/grammar/schema.h"

namespace hearth::grammar {
namespace {

constexpr int kMaxValueDepth = 24;
constexpr int kMaxExpanding = 6;

uint8_t type_of(const Json& value) {
  switch (value.kind) {
    case Kind::kNull: return kNullBit;
    case Kind::kFalse:
    case Kind::kTrue: return kBoolBit;
    case Kind::kNumber: return value.is_integer ? kIntegerBit : kFractionBit;
    case Kind::kString: return kStringBit;
    case Kind::kArray: return kArrayBit;
    case Kind::kObject: return kObjectBit;
  }
  return 0;
}

bool has_equal(const std::vector<const Json*>& list, const Json& value) {
  return std::any_of(list.begin(), list.end(), [&](const Json* other) { return equal(*other, value); });
}

bool in_range(int64_t n, int64_t min, int64_t max) {
  return n >= min && (max < 0 || n <= max);
}

}  // namespace

bool SchemaCompiler::satisfies(const Json& value, const Goal& goal, int depth) {
  if (depth > kMaxValueDepth) {
    refuse(value, "the value is too deep to be checked", ErrorCode::kLimit);
    return false;
  }
  if (goal.empty()) return true;
  const Cases& cases = cases_of(goal);
  return std::any_of(cases.begin(), cases.end(), [&](const Case& c) { return satisfies_case(value, c, depth); });
}

bool SchemaCompiler::satisfies_case(const Json& value, const Case& c, int depth) {
  if (!spend(1 + c.none_of.size()) || (c.types & type_of(value)) == 0) return false;
  for (const auto& list : c.one_of) {
    if (!spend(list.size() / 8) || !has_equal(list, value)) return false;
  }
  if (has_equal(c.none_of, value)) return false;
  if (value.is_string()) return text_fits(value.text, c);
  if (value.is_object()) return object_fits(value, c, depth);
  if (value.is_array()) return array_fits(value, c, depth);
  if (!value.is_number() || !c.numbers.any()) return true;
  const std::optional<Decimal> number = parse_decimal(value.text);
  return number && is_within(*number, c.numbers);
}

bool SchemaCompiler::text_fits(const std::string& text, const Case& c) {
  if (!in_range(length_of(text), c.min_length, c.max_length)) return false;
  return std::all_of(c.patterns.begin(), c.patterns.end(), [&](const TextPattern& p) {
    const Dfa* dfa = pattern_dfa(p);
    return dfa && dfa->matches(text) != p.negated;
  });
}

bool SchemaCompiler::object_fits(const Json& value, const Case& c, int depth) {
  if (!in_range(static_cast<int64_t>(value.members.size()), c.min_properties, c.max_properties)) return false;
  for (const std::string& key : c.required) {
    if (!value.find(key)) return false;
  }
  for (const auto& [key, member] : value.members) {
    if (c.forbidden.contains(key)) return false;
    const Json name{.kind = Kind::kString, .text = key};
    for (const Part& part : c.names) {
      if (!satisfies(name, {part}, depth + 1)) return false;
    }
    if (!satisfies(*member, goal_of_key(c, key), depth + 1)) return false;
  }
  return true;
}

bool SchemaCompiler::array_fits(const Json& value, const Case& c, int depth) {
  if (!in_range(static_cast<int64_t>(value.items.size()), c.min_items, c.max_items)) return false;
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (!satisfies(*value.items[i], goal_of_item(c, i), depth + 1)) return false;
    for (size_t k = 0; k < i && c.unique; ++k) {
      if (!spend(1) || equal(*value.items[i], *value.items[k])) return false;
    }
  }
  return std::all_of(c.contains.begin(), c.contains.end(), [&](const Part& part) {
    const auto fits = [&](const Json* item) { return satisfies(*item, {part}, depth + 1); };
    return std::count_if(value.items.begin(), value.items.end(), fits) >= c.min_contains;
  });
}

bool SchemaCompiler::disjoint(const Goal& a, const Goal& b, int depth) {
  if (depth > 3 || is_false(a) || is_false(b)) return depth <= 3;
  if (a.empty() || b.empty() || expanding_ > kMaxExpanding) return false;
  const Cases& of_a = cases_of(a);
  const Cases& of_b = cases_of(b);
  if (failed() || of_a.size() * of_b.size() > 4000 || !spend(of_a.size() * of_b.size())) return false;
  return std::all_of(of_a.begin(), of_a.end(), [&](const Case& x) {
    return std::all_of(of_b.begin(), of_b.end(), [&](const Case& y) { return disjoint_cases(x, y, depth); });
  });
}

bool SchemaCompiler::disjoint_cases(const Case& a, const Case& b, int depth) {
  const uint8_t types = a.types & b.types;
  if (types == 0) return true;
  if (const Case* listed = !a.one_of.empty() ? &a : !b.one_of.empty() ? &b : nullptr) {
    const Case& other = listed == &a ? b : a;
    const auto in_both = [&](const Json* v) { return satisfies_case(*v, *listed, 0) && satisfies_case(*v, other, 0); };
    return std::none_of(listed->one_of[0].begin(), listed->one_of[0].end(), in_both) && !failed();
  }
  if ((types & (kNullBit | kBoolBit)) != 0) return false;
  if ((types & kStringBit) != 0 && !disjoint_texts(a, b)) return false;
  if ((types & (kIntegerBit | kFractionBit)) != 0) {
    const auto below = [](const NumberLimits& l, const NumberLimits& h) {
      if (!l.max || !h.min) return false;
      const int order = compare(*l.max, *h.min);
      return order < 0 || (order == 0 && (l.below_max || h.above_min));
    };
    if (!below(a.numbers, b.numbers) && !below(b.numbers, a.numbers)) return false;
  }
  if ((types & kArrayBit) != 0) {
    const auto shorter = [](const Case& x, const Case& y) { return x.max_items >= 0 && x.max_items < y.min_items; };
    const bool by_item =
        a.min_items > 0 && b.min_items > 0 && disjoint(goal_of_item(a, 0), goal_of_item(b, 0), depth + 1);
    if (!shorter(a, b) && !shorter(b, a) && !by_item) return false;
  }
  return (types & kObjectBit) == 0 || disjoint_objects(a, b, depth);
}

/// A key that one asks for and the other does not allow, or whose values exclude each other.
bool SchemaCompiler::disjoint_objects(const Case& a, const Case& b, int depth) {
  const auto excluded = [&](const Case& with, const Case& other) {
    return std::any_of(with.required.begin(), with.required.end(), [&](const std::string& key) {
      if (other.forbidden.contains(key)) return true;
      const Goal there = goal_of_key(other, key), here = goal_of_key(with, key);
      if (is_false(there)) return true;
      return disjoint(here, there, depth + 1);
    });
  };
  return excluded(a, b) || excluded(b, a);
}

bool SchemaCompiler::disjoint_texts(const Case& a, const Case& b) {
  const auto shorter = [](const Case& x, const Case& y) { return x.max_length >= 0 && x.max_length < y.min_length; };
  if (shorter(a, b) || shorter(b, a)) return true;
  if (a.patterns.empty() || b.patterns.empty()) return false;
  std::optional<Dfa> both = any_text();
  for (const Case* c : {&a, &b}) {
    for (const TextPattern& p : c->patterns) {
      const Dfa* dfa = pattern_dfa(p);
      if (!dfa || !both) return false;
      both = combine(*both, *dfa, p.negated ? Both::kAndNot : Both::kAnd);
    }
  }
  return both && both->is_empty();
}

}  // namespace hearth::grammar
