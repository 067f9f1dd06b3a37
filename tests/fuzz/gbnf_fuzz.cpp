// Fuzz entry: any bytes as GBNF, and a text of the fuzzer's choice (after a zero byte) against it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hearth/grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const auto grammar = hearth::Grammar::from_gbnf(input.substr(0, zero));
  if (grammar) (void)grammar->match(zero == std::string_view::npos ? "(x = 1)\n" : input.substr(zero + 1));
  return 0;
}
