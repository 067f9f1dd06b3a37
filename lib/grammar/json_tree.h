// A JSON document as a tree that keeps the order of members and knows where each value stands: what schemas are
// compiled from.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hearth/result.h"

namespace hearth::grammar {

struct Json {
  enum class Kind : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool is_integer = false;  ///< a number without fraction: 3, 3.0 and 3e2 are
  double number = 0;
  std::string text{};  ///< of a string; of a number, as it is written
  std::vector<const Json*> items{};
  std::vector<std::pair<std::string, const Json*>> members{};  ///< the last of equal keys, at the place of the first
  const Json* parent = nullptr;
  uint32_t place = 0;                                 ///< in items or members of the parent
  std::unordered_map<std::string, uint32_t> index{};  ///< of members, when there are many

  bool is(Kind k) const { return kind == k; }
  bool is_object() const { return kind == Kind::kObject; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_number() const { return kind == Kind::kNumber; }
  bool is_bool() const { return kind == Kind::kTrue || kind == Kind::kFalse; }
  /// nullptr when there is no such member.
  const Json* find(std::string_view key) const;
  /// The same, of the kind asked for only.
  const Json* find(std::string_view key, Kind k) const;
};
using Kind = Json::Kind;

class JsonTree {
 public:
  /// kFormat with line and column; kLimit beyond 4 million values.
  static Result<JsonTree> parse(std::string_view text);
  const Json& root() const { return nodes_.front(); }

 private:
  std::deque<Json> nodes_;  ///< addresses stay when the tree is moved
};

/// "#/properties/a/items/0"
std::string path_of(const Json& value);
/// Equal as JSON Schema compares: numbers by value, objects in any order.
bool equal(const Json& a, const Json& b);
/// Compact text.
std::string dump(const Json& value);
/// Characters of a string.
int64_t length_of(std::string_view utf8);

}  // namespace hearth::grammar
