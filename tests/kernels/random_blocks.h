// Random valid blocks of any tensor type, without knowledge of its layout.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/encoders.h"
#include "kernels/kernel_table.h"

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
  const uint16_t one_half = 0x3c00;  // 1 in F16
  float value = 0;
  if (type.block_bytes == 2) type.dequantize(&value, &one_half, 1);
  const auto index = type.block_bytes == 4 ? kernels::TypeIndex::kF32
                     : value == 1.0f       ? kernels::TypeIndex::kF16
                                           : kernels::TypeIndex::kBF16;
  kernels::encoders().encode[static_cast<int>(index)](out.data(), x.data(), nullptr, n);
  return out;
}

}  // namespace hearth::testing
