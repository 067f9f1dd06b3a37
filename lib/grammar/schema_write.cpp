// From goals to expressions: rules for goals, values of enums, numbers, arrays.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/grammar/schema.h"

namespace hearth::grammar {
namespace {

constexpr size_t kMaxWork = 3'000'000;
constexpr size_t kMaxPrefix = 100;
constexpr size_t kFewValues = 8;  // of an enum
constexpr int64_t kMaxCounted = INT32_MAX - 1;

Draft draft_of(const Json& root) {
  const Json* schema = root.find("$schema", Kind::kString);
  if (!schema) return Draft::k2020;
  constexpr std::pair<std::string_view, Draft> kDrafts[] = {{"draft-03", Draft::k4}, {"draft-04", Draft::k4},
                                                            {"draft-05", Draft::k4}, {"draft-06", Draft::k6},
                                                            {"draft-07", Draft::k7}, {"2019-09", Draft::k2019}};
  for (const auto& [name, draft] : kDrafts) {
    if (schema->text.find(name) != std::string::npos) return draft;
  }
  return Draft::k2020;
}

int32_t count(int64_t n) {
  return static_cast<int32_t>(std::min(n, kMaxCounted));
}

}  // namespace

SchemaCompiler::SchemaCompiler(const JsonTree& tree, ExprPool& pool, const JsonOptions& options)
    : tree_(tree),
      pool_(pool),
      json_(pool, options.white_space),
      any_order_(options.any_order),
      draft_(draft_of(tree.root())) {}

void SchemaCompiler::refuse(const Json& at, const std::string& why, ErrorCode code) {
  if (!error_) error_ = Error{code, concat("schema, ", path_of(at), ": ", why)};
}

/// Counts steps, so that a hostile schema ends in an error.
bool SchemaCompiler::spend(size_t n) {
  work_ += n;
  if (work_ > kMaxWork) refuse(tree_.root(), "it takes too much work", ErrorCode::kLimit);
  return !failed();
}

Result<ExprId> SchemaCompiler::run() {
  const ExprId body = schema(tree_.root());
  if (Status status = finish(); !status) return status.error();
  return body;
}

Status SchemaCompiler::finish() {
  while (!unwritten_.empty() && !failed()) {
    const auto [goal, rule] = std::move(unwritten_.front());
    unwritten_.pop_front();
    pool_.define(rule, write_goal(goal));
  }
  return failed() ? Status(*error_) : Status();
}

/// The rule of a goal, to be written later.
ExprId SchemaCompiler::value_of(Goal goal) {
  if (goal.empty()) return json_.any_value();
  const auto [at, is_new] = rules_.try_emplace(goal);
  if (is_new) {
    at->second = pool_.add_rule(path_of(*goal[0].schema));
    unwritten_.emplace_back(std::move(goal), at->second);
  }
  return pool_.rule(at->second);
}

ExprId SchemaCompiler::write_goal(const Goal& goal) {
  std::vector<ExprId> choices;
  for (const Case& c : cases_of(goal)) {
    if (failed() || !spend(1)) break;
    choices.push_back(write_case(c));
  }
  return pool_.alt(std::move(choices));
}

ExprId SchemaCompiler::write_case(const Case& c) {
  if (!c.one_of.empty()) return write_values(c);
  std::vector<ExprId> choices;
  const auto excluded = [&](Kind kind) {
    return std::any_of(c.none_of.begin(), c.none_of.end(), [&](const Json* v) { return v->is(kind); });
  };
  if ((c.types & kNullBit) != 0 && !excluded(Kind::kNull)) choices.push_back(pool_.bytes("null"));
  if ((c.types & kBoolBit) != 0 && !excluded(Kind::kTrue)) choices.push_back(pool_.bytes("true"));
  if ((c.types & kBoolBit) != 0 && !excluded(Kind::kFalse)) choices.push_back(pool_.bytes("false"));
  if ((c.types & kStringBit) != 0) choices.push_back(write_text(c));
  if ((c.types & (kIntegerBit | kFractionBit)) != 0) choices.push_back(write_number(c));
  if ((c.types & kArrayBit) != 0) choices.push_back(write_array(c));
  if ((c.types & kObjectBit) != 0) choices.push_back(write_object(c));
  return pool_.alt(std::move(choices));
}

/// Of listed values those that satisfy the rest. Many strings share one automaton.
ExprId SchemaCompiler::write_values(const Case& c) {
  std::vector<ExprId> choices;
  std::vector<std::string> texts;
  for (const Json* value : c.one_of[0]) {
    if (failed() || !satisfies_case(*value, c, 0)) continue;
    if (value->is_string() && c.one_of[0].size() > kFewValues) {
      texts.push_back(value->text);
    } else {
      choices.push_back(write_literal(*value));
    }
  }
  if (!texts.empty()) choices.push_back(quoted(pool_.text(of_texts(texts), Encoding::kJson)));
  return pool_.alt(std::move(choices));
}

ExprId SchemaCompiler::write_literal(const Json& value) {
  if (!spend(1)) return pool_.nothing();
  if (value.is_string()) return key_text(value.text);
  if (!value.is_array() && !value.is_object()) return pool_.bytes(dump(value));
  std::vector<ExprId> parts{json_.open(value.is_array() ? '[' : '{')};
  const auto separate = [&] {
    if (parts.size() > 1) parts.push_back(json_.comma());
  };
  for (const Json* item : value.items) {
    separate();
    parts.push_back(write_literal(*item));
  }
  std::vector<ExprPool::Item> members;
  for (const auto& [key, member] : value.members) {
    members.push_back({pool_.seq({key_text(key), json_.colon(), write_literal(*member)}), true});
  }
  if (any_order_ && members.size() > 1 && members.size() <= kMaxBag) {
    parts.push_back(pool_.bag(std::move(members), json_.comma(), kUndefined));
    members.clear();
  }
  for (const ExprPool::Item& member : members) {
    separate();
    parts.push_back(member.expr);
  }
  parts.push_back(json_.close(value.is_array() ? ']' : '}'));
  return pool_.seq(std::move(parts));
}

ExprId SchemaCompiler::write_number(const Case& c) {
  const uint8_t bits = c.types & (kIntegerBit | kFractionBit);
  const NumberKind kind = bits == kIntegerBit    ? NumberKind::kInteger
                          : bits == kFractionBit ? NumberKind::kFraction
                                                 : NumberKind::kAny;
  std::vector<const Json*> excluded;
  for (const Json* v : c.none_of) {
    if (v->is_number()) excluded.push_back(v);
  }
  if (!c.numbers.any() && excluded.empty() && kind != NumberKind::kFraction) {
    return kind == NumberKind::kInteger ? json_.any_integer() : json_.any_number();
  }
  std::optional<Dfa> dfa = numbers_within(c.numbers, kind);
  for (const Json* v : excluded) {
    const std::optional<Decimal> number = parse_decimal(v->text);
    const std::optional<Dfa> same = number ? number_equal(*number, kind) : std::nullopt;
    if (dfa && same) dfa = combine(*dfa, *same, Both::kAndNot);
    if (!same) dfa.reset();
  }
  if (dfa) return pool_.text(std::move(*dfa), Encoding::kPlain);
  const Json* at = c.number_source ? c.number_source : excluded.empty() ? &tree_.root() : excluded[0];
  refuse(*at, "these limits of numbers take too many states", ErrorCode::kLimit);
  return pool_.nothing();
}

ExprId SchemaCompiler::write_array(const Case& c) {
  if (c.max_items >= 0 && c.max_items < c.min_items) return pool_.nothing();
  if (c.unique && c.max_items != 0 && c.max_items != 1) {
    refuse(*c.unique, "the keyword is supported only for at most one item");
    return pool_.nothing();
  }
  if (std::any_of(c.none_of.begin(), c.none_of.end(), [](const Json* v) { return v->is_array(); })) {
    refuse(**std::find_if(c.none_of.begin(), c.none_of.end(), [](const Json* v) { return v->is_array(); }),
           "arrays cannot be excluded");
    return pool_.nothing();
  }
  if (!c.contains.empty()) return write_containing(c);
  if (c.arrays.empty() && c.min_items == 0 && c.max_items < 0) return json_.any_array();
  return pool_.seq({json_.open('['), write_items(c), json_.close(']')});
}

/// Places with goals of their own, then the rest; as many as there may be.
ExprId SchemaCompiler::write_items(const Case& c) {
  const size_t n_prefix = n_prefix_items(c);
  if (n_prefix > kMaxPrefix) {
    refuse(*c.arrays[0], "too many places have schemas of their own", ErrorCode::kLimit);
    return pool_.nothing();
  }
  const Goal rest = goal_of_item(c, n_prefix);
  int64_t max = c.max_items;
  if (is_false(rest)) max = max < 0 ? static_cast<int64_t>(n_prefix) : std::min(max, static_cast<int64_t>(n_prefix));
  for (size_t i = 0; i < n_prefix; ++i) {
    if (is_false(goal_of_item(c, i))) max = max < 0 ? static_cast<int64_t>(i) : std::min(max, static_cast<int64_t>(i));
  }
  if (max >= 0 && max < c.min_items) return pool_.nothing();
  const auto n = static_cast<int64_t>(n_prefix);
  const auto with_comma = [&](int64_t i, ExprId item) { return i == 0 ? item : pool_.seq({json_.comma(), item}); };
  // From the last place to the first: what stands from there on.
  ExprId tail = pool_.empty();
  if (max < 0 || max > n) {
    const ExprId item = value_of(rest);
    const int64_t min_rest = std::max<int64_t>(c.min_items - n, 0);
    const int64_t max_rest = max < 0 ? -1 : max - n;
    if (n > 0) {
      tail = pool_.repeat(with_comma(1, item), count(min_rest), max_rest < 0 ? kUnbounded : count(max_rest));
    } else {
      const ExprId more = pool_.repeat(with_comma(1, item), count(std::max<int64_t>(min_rest - 1, 0)),
                                       max_rest < 0 ? kUnbounded : count(max_rest - 1));
      tail = pool_.seq({item, more});
      if (min_rest == 0) tail = pool_.optional(tail);
    }
  }
  for (int64_t i = (max < 0 ? n : std::min(n, max)) - 1; i >= 0; --i) {
    tail = pool_.seq({with_comma(i, value_of(goal_of_item(c, static_cast<size_t>(i)))), tail});
    if (i >= c.min_items) tail = pool_.optional(tail);
  }
  return tail;
}

/// Any items, then one that `contains` asks for, as often as it does, then any.
ExprId SchemaCompiler::write_containing(const Case& c) {
  const bool fits = c.contains.size() == 1 && n_prefix_items(c) == 0 && c.min_items <= c.min_contains &&
                    c.max_items < 0 && c.min_contains <= 16;
  if (!fits) {
    refuse(*c.contains[0].schema, "contains is supported only without other limits of the number of items");
    return pool_.nothing();
  }
  const Goal any = goal_of_item(c, 0);
  Goal wanted = any;
  wanted.push_back(c.contains[0]);
  std::sort(wanted.begin(), wanted.end());
  const ExprId item = value_of(any), found = value_of(wanted);
  const ExprId before = pool_.repeat(pool_.seq({item, json_.comma()}), 0, kUnbounded);
  std::vector<ExprId> parts{json_.open('[')};
  for (int64_t i = 0; i < c.min_contains; ++i) {
    if (i > 0) parts.push_back(json_.comma());
    parts.insert(parts.end(), {before, found});
  }
  parts.push_back(pool_.repeat(pool_.seq({json_.comma(), item}), 0, kUnbounded));
  parts.push_back(json_.close(']'));
  return pool_.seq(std::move(parts));
}

}  // namespace hearth::grammar
