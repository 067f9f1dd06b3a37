// Halves as floats by F16C, which all x86 sets have.
#include <immintrin.h>

#include "kernels/half.h"
#include "kernels/x86/floats.h"

namespace hearth::kernels::x86 {

void dequantize_F16(float* out, const void* halves, int64_t n) {
  const auto* from = static_cast<const char*>(halves);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m128i eight;
    __builtin_memcpy(&eight, from + 2 * i, sizeof eight);
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(eight));
  }
  for (; i < n; ++i) {
    uint16_t half;
    __builtin_memcpy(&half, from + 2 * i, sizeof half);
    out[i] = half_to_float(half);
  }
}

}  // namespace hearth::kernels::x86
