// JSON of requests and answers: reading fields as clients write them.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth_server {

/// Keys keep their order: those of a schema matter to the answer.
using Json = nlohmann::ordered_json;

/// A body as JSON; an ApiError (400) when it is none, is no object, or is nested too deeply.
Json parse_body(const std::string& body);
/// One line; bytes that are not UTF-8 become U+FFFD.
std::string to_text(const Json& value);

// Fields: absent and null are the same. A field of another type is an ApiError (400) that names it. Whole numbers may
// be written as 1.0.

const Json* field(const Json& object, std::string_view name);
std::optional<std::string> text_field(const Json& object, std::string_view name);
std::string text_or(const Json& object, std::string_view name, const char* otherwise = "");
std::optional<int64_t> int_field(const Json& object, std::string_view name);
std::optional<double> number_field(const Json& object, std::string_view name);
std::optional<bool> bool_field(const Json& object, std::string_view name);  ///< "true" and "false" as texts, too
bool bool_or(const Json& object, std::string_view name, bool otherwise);
/// A text, or a list of texts; empty texts are left out.
std::vector<std::string> texts_field(const Json& object, std::string_view name);
/// A list; nullptr when absent.
const Json* list_field(const Json& object, std::string_view name);

}  // namespace hearth_server
