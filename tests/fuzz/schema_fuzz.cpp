// Fuzz entry: any bytes as a JSON schema, and a value (after a zero byte) against it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hearth/grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const std::string_view schema = input.substr(0, zero);
  const bool odd = size % 2 == 1;
  const auto grammar = hearth::Grammar::from_json_schema(schema, {.any_order = odd, .white_space = odd});
  if (grammar)
    (void)grammar->match(zero == std::string_view::npos ? R"({"a": [1, "x", null]})" : input.substr(zero + 1));
  return 0;
}
