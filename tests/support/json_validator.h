// A validator of JSON schemas that shares nothing with the library: values are checked against the words of a schema,
// one by one. Tests only; words it does not know count as nothing.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace hearth::testing {

class JsonValidator {
 public:
  using Json = nlohmann::json;
  explicit JsonValidator(Json root) : root_(std::move(root)) {}

  bool valid(const Json& value) const { return valid(value, root_); }

 private:
  static size_t characters(const std::string& text) {
    size_t n = 0;
    for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return n;
  }
  static bool matches(const std::string& text, const std::string& pattern) {
    return std::regex_search(text, std::regex(pattern, std::regex::ECMAScript));
  }
  static bool is_type(const Json& value, const std::string& type) {
    if (type == "integer") {
      return value.is_number_integer() || (value.is_number() && std::floor(value.get<double>()) == value.get<double>());
    }
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "number" && value.is_number()) ||
           (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null());
  }
  template <class List, class Fits>
  static size_t count(const List& list, Fits fits) {
    size_t n = 0;
    for (const auto& entry : list) n += fits(entry);
    return n;
  }

  bool valid(const Json& value, const Json& schema) const {
    if (schema.is_boolean()) return schema.get<bool>();
    return general(value, schema) && combined(value, schema) && (!value.is_string() || text(value, schema)) &&
           (!value.is_number() || number(value, schema)) && (!value.is_array() || array(value, schema)) &&
           (!value.is_object() || object(value, schema));
  }

  bool general(const Json& value, const Json& schema) const {
    if (schema.contains("$ref")) {
      const std::string ref = schema["$ref"];
      if (!valid(value, root_.at(Json::json_pointer(ref.substr(1))))) return false;
    }
    if (schema.contains("type")) {
      const Json& type = schema["type"];
      const auto fits = [&](const Json& name) { return is_type(value, name); };
      if (type.is_array() ? count(type, fits) == 0 : !fits(type)) return false;
    }
    if (schema.contains("const") && value != schema["const"]) return false;
    return !schema.contains("enum") || count(schema["enum"], [&](const Json& e) { return e == value; }) > 0;
  }

  bool combined(const Json& value, const Json& schema) const {
    const auto fits = [&](const Json& part) { return valid(value, part); };
    if (schema.contains("allOf") && count(schema["allOf"], fits) != schema["allOf"].size()) return false;
    if (schema.contains("anyOf") && count(schema["anyOf"], fits) == 0) return false;
    if (schema.contains("oneOf") && count(schema["oneOf"], fits) != 1) return false;
    if (schema.contains("not") && fits(schema["not"])) return false;
    if (!schema.contains("if")) return true;
    const char* then = fits(schema["if"]) ? "then" : "else";
    return !schema.contains(then) || fits(schema[then]);
  }

  static bool text(const Json& value, const Json& schema) {
    const size_t n = characters(value.get<std::string>());
    return n >= schema.value("minLength", size_t{0}) && n <= schema.value("maxLength", n) &&
           (!schema.contains("pattern") || matches(value, schema["pattern"]));
  }

  static bool number(const Json& value, const Json& schema) {
    const double x = value.get<double>();
    if (schema.contains("multipleOf") && std::fmod(x, schema["multipleOf"].get<double>()) != 0) return false;
    return x >= schema.value("minimum", x) && x <= schema.value("maximum", x) &&
           (!schema.contains("exclusiveMinimum") || x > schema["exclusiveMinimum"].get<double>()) &&
           (!schema.contains("exclusiveMaximum") || x < schema["exclusiveMaximum"].get<double>());
  }

  bool array(const Json& value, const Json& schema) const {
    const size_t n = value.size();
    if (n < schema.value("minItems", size_t{0}) || n > schema.value("maxItems", n)) return false;
    const size_t n_prefix = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
    for (size_t i = 0; i < n; ++i) {
      if (i < n_prefix && !valid(value[i], schema["prefixItems"][i])) return false;
      if (i >= n_prefix && schema.contains("items") && !valid(value[i], schema["items"])) return false;
    }
    return !schema.contains("contains") ||
           count(value, [&](const Json& item) { return valid(item, schema["contains"]); }) > 0;
  }

  bool object(const Json& value, const Json& schema) const {
    const size_t n = value.size();
    if (n < schema.value("minProperties", size_t{0}) || n > schema.value("maxProperties", n)) return false;
    const Json required = schema.value("required", Json::array());
    for (const Json& name : required) {
      if (!value.contains(name.get<std::string>())) return false;
    }
    for (const auto& [key, member] : value.items()) {
      if (schema.contains("propertyNames") && !valid(Json(key), schema["propertyNames"])) return false;
      if (!member_fits(key, member, schema)) return false;
    }
    return true;
  }

  bool member_fits(const std::string& key, const Json& member, const Json& schema) const {
    bool is_known = false;
    if (schema.contains("properties") && schema["properties"].contains(key)) {
      is_known = true;
      if (!valid(member, schema["properties"][key])) return false;
    }
    const Json patterns = schema.value("patternProperties", Json::object());
    for (const auto& [pattern, part] : patterns.items()) {
      if (!matches(key, pattern)) continue;
      is_known = true;
      if (!valid(member, part)) return false;
    }
    return is_known || !schema.contains("additionalProperties") || valid(member, schema["additionalProperties"]);
  }

  Json root_;
};

}  // namespace hearth::testing
