// Cases of the keywords of objects and arrays.
#include <algorithm>
#include <memory>

#include "lib/grammar/case_expander.h"

namespace hearth::grammar {

bool CaseExpander::take_object(Branch& b, Word word, const Json& schema, const Json& value, bool negated) {
  Case& r = b.result;
  switch (word) {
    case Word::kObjectWord:
      if (negated && value.parent->members[value.place].first == "properties")
        return take_negated_properties(b, value), true;
      if (negated) return false;
      if (value.parent->members[value.place].first != "additionalProperties" && !value.is_object()) {
        return c_.refuse(value, "it must be an object", ErrorCode::kFormat), true;
      }
      if (std::find(r.objects.begin(), r.objects.end(), &schema) == r.objects.end()) r.objects.push_back(&schema);
      return true;
    case Word::kRequired:
      if (value.is(Kind::kFalse)) return !negated;
      if (!value.is_array()) return c_.refuse(value, "it must be a list of names", ErrorCode::kFormat), true;
      if (negated) {
        return take_negated_required(b, value), true;
      }
      for (const Json* key : value.items) {
        if (std::find(r.required.begin(), r.required.end(), key->text) == r.required.end())
          r.required.push_back(key->text);
      }
      return true;
    case Word::kPropertyNames: r.names.push_back({&value, -1, false}); return !negated;
    case Word::kUnevaluatedProperties: {
      // Only where it can see all that was evaluated: as the root of the goal.
      const bool is_root = goal_.size() == 1 && goal_[0].schema == &schema;
      if (!is_root) return c_.refuse(value, "it is supported only at the root of a schema"), true;
      r.unevaluated.push_back(&value);
      return !negated;
    }
    case Word::kDependencies:
      if (!negated) take_dependencies(b, value);
      return !negated;
    default: return false;
  }
}

/// Each key is absent, or there and its consequence holds.
void CaseExpander::take_dependencies(Branch& b, const Json& value) {
  std::vector<Branch> all{b};
  for (const auto& [key, needs] : value.members) {
    if (2 * all.size() + branches_.size() > kMaxCases || !c_.spend(all.size() * (b.todo.size() + 8))) {
      return c_.refuse(value, "it has too many cases", ErrorCode::kLimit);
    }
    for (size_t i = 0, n = all.size(); i < n; ++i) {
      Branch with = all[i];
      with.result.types &= kObjectBit;
      with.result.required.push_back(key);
      if (needs->is_string()) with.result.required.push_back(needs->text);
      for (const Json* other : needs->items) with.result.required.push_back(other->text);
      if (needs->is_object() || needs->is_bool()) with.todo.push_back({Part{needs, -1, false}, nullptr, 0});
      all.push_back(std::move(with));
      all[i].result.forbidden.insert(key);
    }
  }
  go_on_as(b, std::move(all));
}

/// Some of the names is absent.
void CaseExpander::take_negated_required(Branch& b, const Json& value) {
  b.result.types &= kObjectBit;
  std::vector<Branch> all;
  for (const Json* key : value.items) {
    all.push_back(b);
    all.back().result.forbidden.insert(key->text);
  }
  go_on_as(b, std::move(all));
}

/// Some property is there and does not satisfy its schema.
void CaseExpander::take_negated_properties(Branch& b, const Json& value) {
  if (!value.is_object()) return c_.refuse(value, "it must be an object", ErrorCode::kFormat);
  b.result.types &= kObjectBit;
  std::vector<Branch> all;
  for (const auto& [key, schema] : value.members) {
    all.push_back(b);
    all.back().result.required.push_back(key);
    all.back().result.more[key].push_back({schema, -1, true});
  }
  go_on_as(b, std::move(all));
}

/// A branch becomes several.
void CaseExpander::go_on_as(Branch& b, std::vector<Branch> all) {
  if (all.size() + branches_.size() > kMaxCases || !c_.spend(all.size() * (b.todo.size() + 8))) {
    return c_.refuse(*goal_[0].schema, "it has too many cases", ErrorCode::kLimit);
  }
  b.impossible |= all.empty();
  for (size_t i = all.size(); i-- > 1;) branches_.push_back(std::move(all[i]));
  if (!all.empty()) b = std::move(all[0]);
}

bool CaseExpander::take_array(Branch& b, Word word, const Json& schema, const Json& value, bool negated) {
  Case& r = b.result;
  if (negated) return false;
  switch (word) {
    case Word::kArrayWord:
      if (std::find(r.arrays.begin(), r.arrays.end(), &schema) == r.arrays.end()) r.arrays.push_back(&schema);
      return true;
    case Word::kUniqueItems:
      if (value.is(Kind::kTrue)) r.unique = &value;
      return true;
    case Word::kContains: {
      const Json* min = schema.find("minContains");
      if (min && (!is_count(*min) || count_of(*min) == 0)) return true;
      r.min_contains = min ? count_of(*min) : 1;
      r.contains.push_back({&value, -1, false});
      return true;
    }
    case Word::kMinContains: return true;
    case Word::kMaxContains:
      if (schema.find("contains")) c_.refuse(value, "the keyword is not supported");
      return true;
    default: return false;
  }
}

}  // namespace hearth::grammar
