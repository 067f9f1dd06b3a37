// What a value must satisfy while a schema is compiled: a goal is a set of schemas (or negations of schemas) that hold
// together; it becomes a list of cases without any "or", each of which is written as an expression.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/grammar/json_tree.h"
#include "lib/grammar/numbers.h"

namespace hearth::grammar {

/// A schema, or one keyword of it, that holds or (negated) does not.
struct Part {
  const Json* schema = nullptr;
  int32_t keyword = -1;  ///< index of a member; -1: all of it
  bool negated = false;
  auto operator<=>(const Part&) const = default;
};
using Goal = std::vector<Part>;  ///< ascending, without repetition; empty: anything

enum TypeBit : uint8_t {
  kNullBit = 1,
  kBoolBit = 2,
  kStringBit = 4,
  kIntegerBit = 8,
  kFractionBit = 16,  ///< numbers that are not integers
  kArrayBit = 32,
  kObjectBit = 64,
  kAllBits = 127,
};

struct TextPattern {
  const Json* source = nullptr;  ///< for messages
  std::string pattern{};
  bool whole = false;  ///< formats: from end to end
  bool negated = false;
};

/// One case: a conjunction of limits.
struct Case {
  uint8_t types = kAllBits;
  std::vector<std::vector<const Json*>> one_of{};  ///< the value equals one of each list
  std::vector<const Json*> none_of{};
  NumberLimits numbers{};
  const Json* number_source = nullptr;      ///< for messages
  int64_t min_length = 0, max_length = -1;  ///< characters; max < 0: no limit
  std::vector<TextPattern> patterns{};

  std::vector<const Json*> objects{};  ///< schemas with properties, patternProperties, additionalProperties
  std::vector<const Json*> unevaluated{};
  std::vector<std::string> required{};
  std::set<std::string> forbidden{};
  std::map<std::string, Goal> more{};  ///< what values of single keys must satisfy besides
  std::vector<Part> names{};           ///< propertyNames
  int64_t min_properties = 0, max_properties = -1;
  const Json* min_source = nullptr;  ///< for messages

  std::vector<const Json*> arrays{};  ///< schemas with items, prefixItems, additionalItems
  std::vector<Part> contains{};
  int64_t min_contains = 1;
  int64_t min_items = 0, max_items = -1;
  const Json* unique = nullptr;
};

/// A key of an object that is not listed by name: a text of `keys`, with what its value must satisfy.
struct OtherKeys {
  bool any = false;  ///< any text at all; then `keys` is not filled in
  Dfa keys{};
  Goal goal{};
};

}  // namespace hearth::grammar
