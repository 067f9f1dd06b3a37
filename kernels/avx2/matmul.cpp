// Panels of integer codes multiplied by quantised activations, with AVX2.
#include "kernels/avx2/matmul.h"

#include "kernels/avx2/panel.h"

namespace hearth::kernels::avx2 {
namespace {

inline __m256i splat_dword(const void* p) {
  int32_t value;
  __builtin_memcpy(&value, p, 4);
  return _mm256_set1_epi32(value);
}
inline __m256i load_codes(const char* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(static_cast<const void*>(p)));
}
inline __m256 load_floats(const char* p) {
  return _mm256_load_ps(static_cast<const float*>(static_cast<const void*>(p)));
}

/// How many 16-bit sums of two products of a code and an activation (at most 127) may be added: 0 when none may.
constexpr int fitting_sums(Codes codes) {
  return codes == Codes::kBits4 ? 8 : codes == Codes::kBits5 ? 4 : codes == Codes::kBits6 ? 2 : 0;
}

constexpr int kGroups = 2;  // of 8 rows at once

/// Integer dot products of 16 rows with kCols columns over kSteps steps of four elements. q: step s of column c at
/// (s * stride + c) * 4.
template <Codes kCodes, int kCols, int kSteps>
inline void dot_steps(__m256i (&sum)[kGroups][kCols], const char* codes, const int8_t* q, int stride) {
  const __m256i ones = _mm256_set1_epi16(1);
  constexpr int kFit = fitting_sums(kCodes) == 0 ? 1 : fitting_sums(kCodes) < kSteps ? fitting_sums(kCodes) : kSteps;
#pragma GCC unroll 8
  for (int first = 0; first < kSteps; first += kFit) {
    __m256i part[kGroups][kCols];
#pragma GCC unroll 8
    for (int s = first; s < first + kFit; ++s) {
      __m256i w[kGroups];
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) w[g] = load_codes(codes + s * kStepBytes + g * 32);
#pragma GCC unroll 3
      for (int c = 0; c < kCols; ++c) {
        const __m256i x = splat_dword(q + (s * stride + c) * 4);
#pragma GCC unroll 2
        for (int g = 0; g < kGroups; ++g) {
          __m256i product;
          if constexpr (kCodes == Codes::kSigned) {
            product = _mm256_maddubs_epi16(_mm256_abs_epi8(w[g]), _mm256_sign_epi8(x, w[g]));
          } else {
            product = _mm256_maddubs_epi16(w[g], x);
          }
          part[g][c] = s == first ? product : _mm256_add_epi16(part[g][c], product);
        }
      }
    }
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 3
      for (int c = 0; c < kCols; ++c) {
        const __m256i wide = _mm256_madd_epi16(part[g][c], ones);
        sum[g][c] = first == 0 ? wide : _mm256_add_epi32(sum[g][c], wide);
      }
    }
  }
}

/// What multiply_cols needs of the activations: columns from first_col on.
struct ActColumns {
  const int8_t* q;
  const float* d;
  const float* sums;  ///< of 16 or 32 codes, as the kind has it
  int n_cols;         ///< of the group: the stride of every plane
};

/// 16 rows times kCols columns. kHalves: 1 for a scale per 32 columns, 2 for one per 16.
template <Codes kCodes, int kCols, int kHalves, bool kMin>
inline void multiply_cols(float* acc, const char* panel, ActColumns x, int64_t nb, bool first) {
  __m256 total[kGroups][kCols];
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      total[g][c] = first ? _mm256_setzero_ps() : _mm256_loadu_ps(acc + c * kPanelRows + g * 8);
    }
  }
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride) {
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      constexpr int kSteps = 8 / kHalves;
      __m256i dot[kGroups][kCols];
      dot_steps<kCodes, kCols, kSteps>(dot, panel + half * kSteps * kStepBytes, x.q, x.n_cols);
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const __m256 scale = load_floats(panel + kScaleAt + half * kPlaneBytes + g * 32);
        const __m256 min = kMin ? load_floats(panel + kMinAt + half * kPlaneBytes + g * 32) : _mm256_setzero_ps();
#pragma GCC unroll 3
        for (int c = 0; c < kCols; ++c) {
          const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(dot[g][c]), scale);
          total[g][c] = _mm256_fmadd_ps(scaled, _mm256_broadcast_ss(x.d + c), total[g][c]);
          if (kMin) total[g][c] = _mm256_fnmadd_ps(min, _mm256_broadcast_ss(x.sums + c), total[g][c]);
        }
      }
      x.q += kSteps * 4 * x.n_cols;
      x.sums += x.n_cols;
    }
    x.d += x.n_cols;
  }
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) _mm256_storeu_ps(acc + c * kPanelRows + g * 8, total[g][c]);
  }
}

template <Codes kCodes, int kHalves, bool kMin>
inline void multiply_codes(float* acc, const char* panel, const ActGroup& x, int64_t nb, bool first) {
  for (int rows = 0; rows < kPanelRows; rows += 8 * kGroups) {
    const char* codes = panel + rows * 4;  // four bytes of codes and of every plane to a row
    for (int c = 0; c < x.n_cols;) {
      const ActColumns columns{x.q + c * 4, x.d + c, (kHalves == 1 ? x.sum32 : x.sum16) + c, x.n_cols};
      float* out = acc + c * kPanelRows + rows;
      const int left = x.n_cols - c;
      if (left == 1) {
        multiply_cols<kCodes, 1, kHalves, kMin>(out, codes, columns, nb, first);
        c += 1;
      } else if (left == 2 || left == 4) {
        multiply_cols<kCodes, 2, kHalves, kMin>(out, codes, columns, nb, first);
        c += 2;
      } else {
        multiply_cols<kCodes, 3, kHalves, kMin>(out, codes, columns, nb, first);
        c += 3;
      }
    }
  }
}

/// Unsigned codes always have minimums: those of the type, or offset * scale.
template <int kHalves, bool kMin>
inline void multiply(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  const auto* p = static_cast<const char*>(panel);
  switch (load_header(panel)) {
    case Codes::kSigned: return multiply_codes<Codes::kSigned, kHalves, kMin>(acc, p, x, nb, first);
    case Codes::kBits4: return multiply_codes<Codes::kBits4, kHalves, true>(acc, p, x, nb, first);
    case Codes::kBits5: return multiply_codes<Codes::kBits5, kHalves, true>(acc, p, x, nb, first);
    case Codes::kBits6: return multiply_codes<Codes::kBits6, kHalves, true>(acc, p, x, nb, first);
  }
}

}  // namespace

void multiply_scale32(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<1, false>(acc, panel, x, nb, first);
}
void multiply_scale32_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<1, true>(acc, panel, x, nb, first);
}
void multiply_scale16(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<2, false>(acc, panel, x, nb, first);
}
void multiply_scale16_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<2, true>(acc, panel, x, nb, first);
}

}  // namespace hearth::kernels::avx2
