// Fuzz entry of the GGUF reader: opens any bytes, with and without tensor data, and reads all that it finds.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/gguf/exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  uint64_t sum = 0;
  for (const bool metadata_only : {false, true}) {
    const auto file = hearth::GgufFile::from_memory(bytes, {.use_mmap = false, .metadata_only = metadata_only});
    if (file) sum += hearth::testing::exercise(*file);
    if (!file && file.error().message.find('\n') != std::string::npos) __builtin_trap();
  }
  // Stored where the compiler must see it, so that the reads stay.
  static volatile uint64_t sink;
  sink = sink + sum;
  return 0;
}
