// Random valid blocks of any tensor type, without knowledge of its layout.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/reference/quants.h"

namespace hearth::testing {

inline constexpr const char* kTypeNames[] = {
#define HEARTH_FLOAT_TYPE(Name, size, bytes) #Name,
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) #Name,
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
};

/// n elements (n % block_size == 0) of random bytes, drawn again until a block decodes to ordinary magnitudes.
inline std::vector<uint8_t> random_blocks(const kernels::TypeKernels& type, int64_t n, std::mt19937& random) {
  const int64_t size = type.block_size;
  const int64_t bytes = type.block_bytes;
  std::vector<uint8_t> blocks(static_cast<size_t>(n / size * bytes));
  std::vector<float> values(static_cast<size_t>(size));
  for (int64_t b = 0; b < n / size; ++b) {
    uint8_t* block = blocks.data() + b * bytes;
    for (;;) {
      for (int64_t i = 0; i < bytes; ++i) block[i] = static_cast<uint8_t>(random());
      type.dequantize(values.data(), block, size);
      float largest = 0.0f;
      bool finite = true;
      for (const float value : values) {
        finite = finite && std::isfinite(value);
        largest = std::fmax(largest, std::fabs(value));
      }
      if (finite && largest > 0.05f && largest < 20.0f) break;
    }
  }
  return blocks;
}

inline std::vector<float> random_floats(int64_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = normal(random);
  return x;
}

/// n random floats of ordinary magnitudes as a float type holds them, or random blocks of another type.
inline std::vector<uint8_t> random_weights(const kernels::TypeKernels& type, int64_t n, std::mt19937& random) {
  if (type.kind != kernels::PanelKind::kFloat) return random_blocks(type, n, random);
  const std::vector<float> x = random_floats(n, random);
  std::vector<uint8_t> out(static_cast<size_t>(n * type.block_bytes));
  const auto encode = type.block_bytes == 4                                   ? kernels::reference::quantize_F32
                      : type.dequantize == kernels::reference::dequantize_F16 ? kernels::reference::quantize_F16
                                                                              : kernels::reference::quantize_BF16;
  encode(out.data(), x.data(), n);
  return out;
}

}  // namespace hearth::testing
