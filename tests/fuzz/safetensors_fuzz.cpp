// Fuzz entry: any bytes as a safetensors file. What the parser accepts lies in the file.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "lib/convert/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t n_header = 0;
  if (size < sizeof(n_header)) return 0;
  std::memcpy(&n_header, data, sizeof(n_header));
  const size_t rest = size - sizeof(n_header);
  const std::string_view header(reinterpret_cast<const char*>(data) + sizeof(n_header),
                                n_header < rest ? static_cast<size_t>(n_header) : rest);
  const auto tensors = hearth::parse_safetensors_header(header, size);
  if (!tensors) return 0;
  for (const hearth::SafeTensor& tensor : *tensors) {
    if (tensor.offset > size || tensor.size_bytes > size - tensor.offset) __builtin_trap();
    uint64_t n = 1;
    for (const int64_t dim : tensor.shape) n *= static_cast<uint64_t>(dim);
    if (n != tensor.n_elements || tensor.size_bytes < n) __builtin_trap();
  }
  return 0;
}
