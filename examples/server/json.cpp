// Reading fields, and guarding what reads JSON.
#include "json.h"

#include <cmath>

#include "api_error.h"

namespace hearth_server {
namespace {

constexpr int kMaxDepth = 256;          ///< of nesting: what writes JSON calls itself
constexpr size_t kMaxValues = 4 << 20;  ///< in a body: each takes some twenty times what a short one takes there
// An object keeps the order of its members, so that a look-up passes them one by one.
constexpr size_t kMaxMembers = 4096;        ///< in one object
constexpr size_t kMaxAllMembers = 200'000;  ///< in all objects of a body

/// ApiError (400) for JSON that would cost far more than its bytes: nested deeply, or of very many values. Texts are
/// skipped; whether it is JSON is seen later.
void check_cost(const std::string& text) {
  std::vector<size_t> members;  // of the brackets that are open
  size_t n_values = 0, n_members = 0;
  const auto refuse = [](const char* what, size_t most) {
    throw ApiError(400, std::string("the JSON of the request ") + what + " " + std::to_string(most));
  };
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':
        for (++i; i < text.size() && text[i] != '"'; ++i)
          if (text[i] == '\\') ++i;
        break;
      case '{':
      case '[':
        if (members.size() == kMaxDepth) refuse("is nested deeper than", kMaxDepth);
        members.push_back(0);
        ++n_values;
        break;
      case '}':
      case ']':
        if (!members.empty()) members.pop_back();
        break;
      case ',': ++n_values; break;
      case ':':
        if (!members.empty() && ++members.back() > kMaxMembers)
          refuse("has an object with more members than", kMaxMembers);
        if (++n_members > kMaxAllMembers) refuse("has more members of objects than", kMaxAllMembers);
        break;
      default: break;
    }
    if (n_values > kMaxValues) refuse("has more values than", kMaxValues);
  }
}

[[noreturn]] void wrong_type(std::string_view name, const char* wanted) {
  throw ApiError(400, "'" + std::string(name) + "' must be " + wanted, "", std::string(name));
}

}  // namespace

Json parse_body(const std::string& body) {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) throw ApiError(400, "missing request body");
  check_cost(body);
  Json value;
  try {
    value = Json::parse(body);
  } catch (const Json::exception& e) {
    std::string why = e.what();
    if (const size_t at = why.find("] "); at != std::string::npos) why.erase(0, at + 2);
    throw ApiError(400, "the request is not JSON: " + to_text(why.substr(0, 300)));
  }
  if (!value.is_object()) throw ApiError(400, "the request must be a JSON object");
  return value;
}

std::string to_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* field(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(name));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> text_field(const Json& object, std::string_view name) {
  const Json* value = field(object, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) wrong_type(name, "a string");
  return value->get<std::string>();
}

std::string text_or(const Json& object, std::string_view name, const char* otherwise) {
  return text_field(object, name).value_or(otherwise);
}

std::optional<int64_t> int_field(const Json& object, std::string_view name) {
  const Json* value = field(object, name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_unsigned()) {
    const uint64_t number = value->get<uint64_t>();
    return number > INT64_MAX ? INT64_MAX : static_cast<int64_t>(number);
  }
  if (value->is_number_integer()) return value->get<int64_t>();
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (std::abs(number) < 9e15 && number == std::floor(number)) return static_cast<int64_t>(number);
  }
  wrong_type(name, "an integer");
}

std::optional<double> number_field(const Json& object, std::string_view name) {
  const Json* value = field(object, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) wrong_type(name, "a number");
  return value->get<double>();
}

std::optional<bool> bool_field(const Json& object, std::string_view name) {
  const Json* value = field(object, name);
  if (value == nullptr) return std::nullopt;
  if (*value == "true" || *value == "false") return *value == "true";
  if (!value->is_boolean()) wrong_type(name, "a boolean");
  return value->get<bool>();
}

bool bool_or(const Json& object, std::string_view name, bool otherwise) {
  return bool_field(object, name).value_or(otherwise);
}

std::vector<std::string> texts_field(const Json& object, std::string_view name) {
  std::vector<std::string> texts;
  const auto add = [&](const Json& value) {
    if (!value.is_string()) wrong_type(name, "a string or a list of strings");
    if (std::string text = value.get<std::string>(); !text.empty()) texts.push_back(std::move(text));
  };
  const Json* value = field(object, name);
  if (value == nullptr) return texts;
  if (!value->is_array()) return add(*value), texts;
  for (const Json& entry : *value) add(entry);
  return texts;
}

const Json* list_field(const Json& object, std::string_view name) {
  const Json* value = field(object, name);
  if (value != nullptr && !value->is_array()) wrong_type(name, "a list");
  return value;
}

}  // namespace hearth_server
