// Strips of weights times few columns.
#include "kernels/avx512/few_columns.h"

#include "kernels/avx512/matmul.h"

namespace hearth::kernels::avx512 {
namespace {

constexpr int kStripBlocks = 8;

/// Activations from a strip's first block on.
struct StripActs {
  const int8_t* q;
  const float* d;
  const float* sums;    ///< sum32 or sum16
  const int32_t* init;  ///< init32 or init16
  const int32_t* sum256;
  const float* d256;
};

struct Strip {
  char* codes;  ///< one group of a panel
  StripActs x;
  int n;  ///< blocks
};

/// total[c] -= what the integer minimums of a superblock make with column c.
template <int kCols>
inline __attribute__((always_inline)) void take_off_super_mins(__m512 total[kCols], const char* codes,
                                                               const StripActs& x) {
  __m512i dot[kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) dot[c] = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int pair = 0; pair < 4; ++pair) {
    const __m512i words = _mm512_load_si512(codes + pair * kBlockStride + kMinPlane);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      dot[c] = _mm512_dpwssd_epi32(dot[c], words, _mm512_set1_epi32(x.sum256[pair * kCols + c]));
    }
  }
  const __m512 unit = _mm512_load_ps(codes + kMinUnit);
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) total[c] = take_off_mins(total[c], dot[c], unit, _mm512_set1_ps(x.d256[c]));
}

/// total[c] += a strip times column c, with the very operations of the panel's loop (matmul.cpp).
template <int kCols, int kHalves, bool kMin>
void multiply_strip(__m512* totals, const Strip& strip, bool super_mins) {
  constexpr int kSteps = 8 / kHalves;
  __m512 total[kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) total[c] = totals[c];
  const char* block = strip.codes;
  StripActs x = strip.x;
#pragma GCC unroll 1
  for (int b = 0; b < strip.n; ++b, block += kBlockStride, x.d += kCols, x.sums += kHalves * kCols) {
    __m512 scaled[kCols];
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half, x.init += kCols) {
      __m512i dot[kCols];
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) dot[c] = _mm512_set1_epi32(x.init[c]);
#pragma GCC unroll 8
      for (int s = 0; s < kSteps; ++s, x.q += 4 * kCols) {
        const __m512i codes = _mm512_load_si512(block + (half * kSteps + s) * 128);
#pragma GCC unroll 6
        for (int c = 0; c < kCols; ++c) {
          int32_t four;
          __builtin_memcpy(&four, x.q + 4 * c, 4);
          dot[c] = _mm512_dpbusd_epi32(dot[c], codes, _mm512_set1_epi32(four));
        }
      }
      const char* factors = block + kCodeBytes + half * kHalfBytes;
      const __m512 scale = _mm512_load_ps(factors), magic = _mm512_load_ps(factors + kPlaneBytes);
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
        scaled[c] = half == 0 ? _mm512_fmsub_ps(_mm512_castsi512_ps(dot[c]), scale, magic)
                              : _mm512_fmadd_ps(sum_to_float(dot[c]), scale, scaled[c]);
      }
    }
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      total[c] = _mm512_fmadd_ps(scaled[c], _mm512_set1_ps(x.d[c]), total[c]);
      if (!kMin || super_mins) continue;
#pragma GCC unroll 2
      for (int half = 0; half < kHalves; ++half) {
        const __m512 min = _mm512_load_ps(block + kCodeBytes + half * kHalfBytes + 2 * kPlaneBytes);
        total[c] = _mm512_fnmadd_ps(min, _mm512_set1_ps(x.sums[half * kCols + c]), total[c]);
      }
    }
  }
  if (kMin && kHalves == 1 && super_mins) take_off_super_mins<kCols>(total, strip.codes, x);
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) totals[c] = total[c];
}

using MultiplyStrip = void (*)(__m512* totals, const Strip& strip, bool super_mins);

template <int kHalves, bool kMin>
MultiplyStrip multiply_for(int n_cols) {
  constexpr MultiplyStrip by_columns[] = {multiply_strip<1, kHalves, kMin>, multiply_strip<2, kHalves, kMin>,
                                          multiply_strip<3, kHalves, kMin>, multiply_strip<4, kHalves, kMin>,
                                          multiply_strip<5, kHalves, kMin>, multiply_strip<6, kHalves, kMin>};
  return by_columns[n_cols - 1];
}

MultiplyStrip multiply_for(PanelKind kind, int n_cols) {
  switch (kind) {
    case PanelKind::kScale32: return multiply_for<1, false>(n_cols);
    case PanelKind::kScale32Min: return multiply_for<1, true>(n_cols);
    case PanelKind::kScale16: return multiply_for<2, false>(n_cols);
    default: return multiply_for<2, true>(n_cols);
  }
}

}  // namespace

void few_columns(const RowsDecoder& type, float* out, int64_t ldo, const WeightTile& tile, const void* acts,
                 int64_t stride, int64_t k, int n_cols) {
  alignas(64) char codes[2][kStripBlocks * kBlockStride];
  const bool by_16 = type.kind == PanelKind::kScale16 || type.kind == PanelKind::kScale16Min;
  const int halves = by_16 ? 2 : 1;
  const MultiplyStrip multiply = multiply_for(type.kind, n_cols);
  for (int i = 0; i < LaneRows::rows_per_lane(tile); ++i) {
    LaneRows lanes(tile, i);
    __m512 totals[kGroupCols];
    for (int c = 0; c < kGroupCols; ++c) totals[c] = _mm512_setzero_ps();
    Strip last = {};  // decoded, not yet multiplied: what was just stored is loaded a little later
    int64_t at = 0;
    const char* chunk = static_cast<const char*>(acts);
    for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
      const ActGroup g = act_group_at(const_cast<char*>(chunk), kChunk, n_cols);
      StripActs x = {g.q, g.d, by_16 ? g.sum16 : g.sum32, by_16 ? g.init16 : g.init32, g.sum256, g.d256};
      const auto n_blocks = static_cast<int>((left < kChunk ? left : kChunk) / kActBlock);
      for (int b = 0; b < n_blocks; b += kStripBlocks) {
        const int n = n_blocks - b < kStripBlocks ? n_blocks - b : kStripBlocks;
        const Strip strip = {last.codes == codes[0] ? codes[1] : codes[0], x, n};
        lanes.come_to(at);
        type.decode(strip.codes, lanes.rows, at, n);
        if (last.n > 0) multiply(totals, last, type.super_mins);
        last = strip;
        at += n / type.blocks * type.bytes;
        x.q += n * kActBlock * n_cols;
        x.d += n * n_cols;
        x.sums += n * halves * n_cols;
        x.init += n * halves * n_cols;
        x.sum256 += 4 * n_cols;
        x.d256 += n_cols;
      }
    }
    if (last.n > 0) multiply(totals, last, type.super_mins);
    for (int c = 0; c < n_cols; ++c) lanes.store(out + c * ldo, totals[c]);
  }
}

}  // namespace hearth::kernels::avx512
