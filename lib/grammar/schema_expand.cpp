// From a goal to its cases: references followed, allOf joined, anyOf, oneOf, if and negations told apart.
#include <algorithm>
#include <cmath>
#include <memory>

#include "lib/base/concat.h"
#include "lib/grammar/case_expander.h"
#include "lib/grammar/formats.h"

namespace hearth::grammar {
namespace {

constexpr int kMaxChain = 400;

uint8_t type_bits(std::string_view name) {
  constexpr std::pair<std::string_view, uint8_t> kNames[] = {{"null", kNullBit},
                                                             {"boolean", kBoolBit},
                                                             {"string", kStringBit},
                                                             {"integer", kIntegerBit},
                                                             {"array", kArrayBit},
                                                             {"object", kObjectBit},
                                                             {"number", kIntegerBit | kFractionBit}};
  for (const auto& [known, bits] : kNames) {
    if (known == name) return bits;
  }
  return 0;
}

}  // namespace

bool CaseExpander::finish(Branch& b) {
  while (b.next < b.todo.size() && !b.impossible && b.result.types != 0 && !c_.failed()) {
    const Todo todo = b.todo[b.next++];
    if (!c_.spend(1)) return false;
    take(b, todo);
  }
  return !b.impossible && b.result.types != 0;
}

void CaseExpander::take(Branch& b, const Todo& todo) {
  const Part& part = todo.part;
  for (const Step* s = todo.from.get(); s; s = s->from.get()) {
    if (s->part == part) {  // it leads to itself
      b.impossible = true;
      return;
    }
  }
  if (std::find(b.done.begin(), b.done.end(), part) != b.done.end()) return;
  b.done.push_back(part);
  const Json& schema = *part.schema;
  if (schema.is_bool()) {
    b.impossible |= schema.is(Kind::kTrue) == part.negated;
    return;
  }
  if (!schema.is_object()) return c_.refuse(schema, "a schema is an object or a boolean", ErrorCode::kFormat);
  const int depth = todo.from ? todo.from->depth + 1 : 0;
  if (depth > kMaxChain) return c_.refuse(schema, "too many schemas lead to each other", ErrorCode::kLimit);
  const auto from = std::make_shared<const Step>(Step{part, todo.from, depth});
  if (part.keyword >= 0) return take_keyword(b, schema, part.keyword, part.negated, from);
  if (part.negated) return take_negated_schema(b, schema, from);
  const bool only_ref = c_.draft_ <= Draft::k7 && schema.find("$ref", Kind::kString);
  for (size_t i = 0; i < schema.members.size() && !c_.failed(); ++i) {
    if (only_ref && schema.members[i].first != "$ref") continue;
    take_keyword(b, schema, static_cast<int32_t>(i), false, from);
  }
}

/// Not (a and b) is (not a) or (not b).
void CaseExpander::take_negated_schema(Branch& b, const Json& schema, const std::shared_ptr<const Step>& from) {
  std::vector<std::vector<Part>> choices;
  const bool only_ref = c_.draft_ <= Draft::k7 && schema.find("$ref", Kind::kString);
  for (size_t i = 0; i < schema.members.size(); ++i) {
    const std::string& name = schema.members[i].first;
    const Word word = word_of(name);
    if (word == Word::kIgnored || word == Word::kUnknown || (only_ref && word != Word::kRef)) continue;
    choices.push_back({Part{&schema, static_cast<int32_t>(i), true}});
  }
  fork(b, choices, from);
}

/// Goes on with the last choice; the others wait as branches of their own.
void CaseExpander::fork(Branch& b, const std::vector<std::vector<Part>>& choices,
                        const std::shared_ptr<const Step>& from) {
  if (choices.empty()) {
    b.impossible = true;
    return;
  }
  if (branches_.size() + choices.size() > kMaxCases || !c_.spend(choices.size() * (b.todo.size() + 4))) {
    return c_.refuse(*from->part.schema, "it has too many cases", ErrorCode::kLimit);
  }
  for (size_t i = choices.size(); i-- > 1;) {
    branches_.push_back(b);
    for (const Part& part : choices[i]) add(branches_.back(), part, from);
  }
  for (const Part& part : choices[0]) add(b, part, from);
}

void CaseExpander::take_keyword(Branch& b, const Json& schema, int32_t i, bool negated,
                                const std::shared_ptr<const Step>& from) {
  const auto& [name, value] = schema.members[static_cast<size_t>(i)];
  const Word word = word_of(name);
  if (word == Word::kUnknown || word == Word::kIgnored) return;
  if (word == Word::kRefused) return c_.refuse(*value, "the keyword is not supported");
  // What has more than one meaning is forked as one keyword, so that the rest of the schema goes on in each branch.
  const bool forks = word == Word::kAnyOf || word == Word::kOneOf || word == Word::kIf || word == Word::kDependencies;
  if (forks && from->part.keyword < 0 && !negated) return add(b, Part{&schema, i, false}, from);
  const bool done = take_logic(b, word, schema, *value, negated, from) ||
                    take_limit(b, word, schema, *value, negated) || take_object(b, word, schema, *value, negated) ||
                    take_array(b, word, schema, *value, negated);
  if (!done && !c_.failed()) c_.refuse(*value, "not: it cannot be negated");
}

bool CaseExpander::check_schemas(const Json& list) {
  if (!list.is_array() || list.items.empty()) c_.refuse(list, "it must be a list of schemas", ErrorCode::kFormat);
  return !c_.failed();
}

bool CaseExpander::take_logic(Branch& b, Word word, const Json& schema, const Json& value, bool negated,
                              const std::shared_ptr<const Step>& from) {
  std::vector<std::vector<Part>> choices;
  switch (word) {
    case Word::kRef: {
      if (!value.is_string()) return c_.refuse(value, "it must be a string", ErrorCode::kFormat), true;
      const Json* target = c_.resolve(value);
      if (target) add(b, {target, -1, negated}, from);
      return true;
    }
    case Word::kNot:
      if (negated && sees_evaluated()) {
        return c_.refuse(value, "it cannot be told what it leaves unevaluated"), true;
      }
      return add(b, {&value, -1, !negated}, from), true;
    case Word::kAllOf:
    case Word::kAnyOf:
      if (!check_schemas(value)) return true;
      for (const Json* s : value.items) {
        const Part part{s, -1, negated};
        if ((word == Word::kAllOf) != negated) {
          add(b, part, from);
        } else {
          choices.push_back({part});
        }
      }
      if (word == Word::kAnyOf && !negated && sees_evaluated()) add_joint_choices(choices);
      if (!choices.empty()) fork(b, choices, from);
      return true;
    case Word::kOneOf:
      if (negated || !check_schemas(value)) return !negated;
      take_one_of(b, value, from);
      return true;
    case Word::kIf: {
      if (negated) return false;
      const Json* then = schema.find("then");
      const Json* otherwise = schema.find("else");
      if (!then && !otherwise) {
        if (sees_evaluated()) fork(b, {{Part{&value, -1, false}}, {}}, from);
        return true;
      }
      choices = {{Part{&value, -1, false}}, {Part{&value, -1, true}}};
      if (then) choices[0].push_back({then, -1, false});
      if (otherwise) choices[1].push_back({otherwise, -1, false});
      return fork(b, choices, from), true;
    }
    case Word::kEnum:
      if (!value.is_array()) return c_.refuse(value, "it must be a list", ErrorCode::kFormat), true;
      if (!c_.spend(value.items.size())) return true;
      if (negated) {
        b.result.none_of.insert(b.result.none_of.end(), value.items.begin(), value.items.end());
      } else {
        b.result.one_of.push_back(value.items);
      }
      return true;
    case Word::kConst: negated ? b.result.none_of.push_back(&value) : b.result.one_of.push_back({&value}); return true;
    case Word::kType: return take_type(b, value, negated), true;
    default: return false;
  }
}

/// Of an anyOf several may hold, and each makes properties evaluated: where that counts, those that hold together are
/// cases of their own.
void CaseExpander::add_joint_choices(std::vector<std::vector<Part>>& choices) {
  constexpr size_t kMostParts = 6;
  const size_t n = choices.size();
  if (n > kMostParts) return;  // fewer texts, all of them right
  for (uint32_t held = 1; held < (1u << n); ++held) {
    if ((held & (held - 1)) == 0) continue;
    std::vector<Part>& together = choices.emplace_back();
    for (size_t i = 0; i < n; ++i) {
      if ((held >> i & 1) != 0) together.push_back(choices[i][0]);
    }
  }
}

/// One of them, and none of those others that could hold as well.
void CaseExpander::take_one_of(Branch& b, const Json& value, const std::shared_ptr<const Step>& from) {
  const size_t n = value.items.size();
  if (n > 100) return c_.refuse(value, "it has too many branches", ErrorCode::kLimit);
  std::vector<std::vector<Part>> choices(n);
  for (size_t i = 0; i < n; ++i) choices[i].push_back({value.items[i], -1, false});
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = i + 1; k < n && !c_.failed(); ++k) {
      if (c_.disjoint({Part{value.items[i]}}, {Part{value.items[k]}})) continue;
      choices[i].push_back({value.items[k], -1, true});
      choices[k].push_back({value.items[i], -1, true});
    }
  }
  fork(b, choices, from);
}

void CaseExpander::take_type(Branch& b, const Json& value, bool negated) {
  std::vector<const Json*> names{&value};
  if (value.is_array()) names = value.items;
  uint8_t bits = 0;
  for (const Json* name : names) {
    if (name->is_string() && name->text == "any") {
      bits = kAllBits;
      continue;
    }
    const uint8_t more = name->is_string() ? type_bits(name->text) : 0;
    if (more == 0) return c_.refuse(*name, "there is no such type", ErrorCode::kFormat);
    bits |= more;
  }
  const Json* nullable = value.parent->find("nullable");
  if (nullable && nullable->is(Kind::kTrue)) bits |= kNullBit;
  b.result.types &= negated ? static_cast<uint8_t>(~bits) : bits;
}

bool CaseExpander::is_count(const Json& value) {
  if (!value.is_number() || !value.is_integer || value.number < 0) {
    c_.refuse(value, "it must be a number that counts", ErrorCode::kFormat);
  }
  return !c_.failed();
}

void CaseExpander::take_format(Branch& b, const Json& value, bool negated) {
  if (!value.is_string()) return;
  const Format format = find_format(value.text);
  if (format.kind == FormatKind::kRefused) {
    return c_.refuse(value, concat("the format ", value.text, " is not supported"));
  }
  if (format.kind == FormatKind::kUnknown) {
    b.impossible |= negated;
    return;
  }
  if (negated) b.result.types &= kStringBit;
  b.result.patterns.push_back({&value, std::string(format.pattern), true, negated});
}

/// Limits of numbers and texts. Negated, they turn around and ask for their type.
bool CaseExpander::take_limit(Branch& b, Word word, const Json& schema, const Json& value, bool negated) {
  Case& r = b.result;
  const auto lower = [](int64_t& at, int64_t to) { at = std::max(at, to); };
  const auto upper = [](int64_t& at, int64_t to) { at = at < 0 ? to : std::min(at, to); };
  /// Counts: at least n, or negated at most n - 1.
  const auto limit = [&](int64_t& min, int64_t& max, bool is_min, uint8_t type) {
    if (!is_count(value)) return true;
    const int64_t n = count_of(value);
    if (negated) r.types &= type;
    if (negated && is_min && n == 0) return b.impossible = true;
    is_min != negated ? lower(min, negated ? n + 1 : n) : upper(max, negated ? n - 1 : n);
    return true;
  };
  switch (word) {
    case Word::kMinLength:
    case Word::kMaxLength: return limit(r.min_length, r.max_length, word == Word::kMinLength, kStringBit);
    case Word::kMinItems:
    case Word::kMaxItems: return limit(r.min_items, r.max_items, word == Word::kMinItems, kArrayBit);
    case Word::kMinProperties:
    case Word::kMaxProperties:
      r.min_source = &value;
      return limit(r.min_properties, r.max_properties, word == Word::kMinProperties, kObjectBit);
    case Word::kFormat: return take_format(b, value, negated), true;
    case Word::kPattern:
      if (!value.is_string()) return c_.refuse(value, "it must be a string", ErrorCode::kFormat), true;
      if (negated) r.types &= kStringBit;
      r.patterns.push_back({&value, value.text, false, negated});
      return true;
    case Word::kMultipleOf:
    case Word::kMinimum:
    case Word::kMaximum:
    case Word::kAboveMinimum:
    case Word::kBelowMaximum: break;
    default: return false;
  }
  const bool is_flag = value.is_bool();  // draft 4: says how minimum and maximum are meant
  if (is_flag && (word == Word::kAboveMinimum || word == Word::kBelowMaximum)) return !negated;
  r.number_source = &value;
  const std::optional<Decimal> number = value.is_number() ? parse_decimal(value.text) : std::nullopt;
  if (!number) return c_.refuse(value, "it must be a number of at most 40 digits", ErrorCode::kFormat), true;
  if (word == Word::kMultipleOf) {
    if (number->negative || number->is_zero()) return c_.refuse(value, "it must be above 0", ErrorCode::kFormat), true;
    if (!negated) r.numbers.multiple_of.push_back(*number);
    return !negated;
  }
  bool is_min = word == Word::kMinimum || word == Word::kAboveMinimum;
  bool open = word == Word::kAboveMinimum || word == Word::kBelowMaximum;
  const Json* flag = schema.find(is_min ? "exclusiveMinimum" : "exclusiveMaximum");
  if (flag && flag->is(Kind::kTrue)) open = true;
  if (negated) {
    r.types &= kIntegerBit | kFractionBit;
    is_min = !is_min;
    open = !open;
  }
  auto& bound = is_min ? r.numbers.min : r.numbers.max;
  bool& is_open = is_min ? r.numbers.above_min : r.numbers.below_max;
  const int order = bound ? compare(*number, *bound) : (is_min ? 1 : -1);
  if (order == 0) is_open |= open;
  if (is_min ? order > 0 : order < 0) bound = number, is_open = open;
  return true;
}

const SchemaCompiler::Cases& SchemaCompiler::cases_of(const Goal& goal) {
  const auto known = cases_.find(goal);
  if (known != cases_.end()) return known->second;
  ++expanding_;
  std::vector<Case> cases = CaseExpander(*this, goal).run();
  --expanding_;
  return cases_.emplace(goal, std::move(cases)).first->second;
}

}  // namespace hearth::grammar
