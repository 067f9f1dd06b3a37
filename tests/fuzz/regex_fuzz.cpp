// Fuzz entry: any bytes as a regular expression, matched as a whole and found inside a string of a schema.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hearth/grammar.h"
#include "lib/json/writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view pattern(reinterpret_cast<const char*>(data), size);
  const auto grammar = hearth::Grammar::from_regex(pattern);
  if (grammar) (void)grammar->match(pattern);
  std::string schema = "{\"type\": \"string\", \"minLength\": 2, \"pattern\": ";
  hearth::json::append_string(schema, pattern);
  (void)hearth::Grammar::from_json_schema(schema + "}");
  return 0;
}
