// Weights for the bfloat16 tiles: values (scale x code - minimum), rounded once. The base's decoders leave a panel of
// codes with rows in lanes, which is what the tiles take but for the width of its elements.
#include "kernels/amx/bfloat16.h"
#include "kernels/amx/overlay.h"
#include "kernels/avx512/panel.h"
#include "kernels/blocks.h"

namespace hearth::kernels::amx {
namespace {

using avx512::kCodeBytes;
using avx512::kHalfBytes;
using avx512::kMinPlane;
using avx512::kMinUnit;
using avx512::kPlaneBytes;

/// A block of rows of 16-bit floats, 32 elements of 16 rows at a time.
template <bool kHalf>
inline __attribute__((always_inline)) void split(void* block, void* rests, const WeightTile& tile, int64_t n) {
  for (int g = 0; g < 2; ++g) {
    const avx512::Rows rows(tile, 16 * g, 1);
    for (int64_t k = 0; k < n; k += kTileDepth) {
      const int64_t at = k / kTileDepth * kStepBytes + g * kTileBytes;
      __m512i v[16], rest[16], turned[16];
#pragma GCC unroll 16
      for (int r = 0; r < 16; ++r) {
        v[r] = _mm512_loadu_si512(rows.row[r] + 2 * k);
        if (!kHalf) continue;
        const __m512 low = _mm512_cvtph_ps(_mm512_castsi512_si256(v[r]));
        const __m512 high = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(v[r], 1));
        v[r] = nearest(low, high);
        rest[r] = rests_of(low, high);
      }
      avx512::transpose_16(turned, v);
#pragma GCC unroll 16
      for (int p = 0; p < 16; ++p) _mm512_store_si512(static_cast<char*>(block) + at + p * 64, turned[p]);
      if (!kHalf) continue;
      avx512::transpose_16(turned, rest);
#pragma GCC unroll 16
      for (int p = 0; p < 16; ++p) _mm512_store_si512(static_cast<char*>(rests) + at + p * 64, turned[p]);
    }
  }
}

void split_F16(void* block, void* rests, const WeightTile& tile, int64_t n) {
  split<true>(block, rests, tile, n);
}
void split_BF16(void* block, void* rests, const WeightTile& tile, int64_t n) {
  split<false>(block, rests, tile, n);
}

/// Floats nearest to bfloat16 numbers, still with what lies below; a NaN, which no encoder writes, may become a number.
inline __attribute__((always_inline)) __m512i rounded(__m512 x) {
  return _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
}

/// Pairs of bfloat16, nearest to low and high, in each lane: faster than VCVTNE2PS2BF16 and a permutation.
inline __attribute__((always_inline)) __m512i pair_of(__m512 low, __m512 high) {
  const __m512i upper_word = _mm512_broadcast_i32x4(_mm_setr_epi8(2, 3, 0, 0, 6, 7, 0, 0, 10, 11, 0, 0, 14, 15, 0, 0));
  return _mm512_mask_shuffle_epi8(rounded(high), 0x3333333333333333u, rounded(low), upper_word);
}

/// Scale and offset of codes in a lane: their value is scale * (kUnit + code) - offset. A code becomes the second byte
/// of a float of which that sum is the value.
struct Values {
  static constexpr float kUnit = 32768.0f;
  __m512 scale, offset;

  /// Codes with kCodeOffset added; the minimum is left out. Rounding the offset puts values off by a thousandth of the
  /// scale at most, where bfloat16 leaves eight bits of them.
  inline __attribute__((always_inline)) explicit Values(__m512 scale_of_codes)
      : scale(scale_of_codes), offset(_mm512_mul_ps(scale, _mm512_set1_ps(kUnit + avx512::kCodeOffset))) {}

  /// Of codes in byte kByte of each lane.
  template <int kByte>
  inline __attribute__((always_inline)) __m512 of(__m512i codes) const {
    constexpr char k = kByte;
    const __m512i to_second =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, k, 0, 0, 0, 4 + k, 0, 0, 0, 8 + k, 0, 0, 0, 12 + k, 0, 0));
    const __m512i unit = _mm512_castps_si512(_mm512_set1_ps(kUnit));
    const __m512i sum = _mm512_mask_shuffle_epi8(unit, 0x2222222222222222u, codes, to_second);
    return _mm512_fmsub_ps(_mm512_castsi512_ps(sum), scale, offset);
  }
};

/// Four codes of each of 16 rows.
inline __attribute__((always_inline)) void expand_codes(char* out, __m512i codes, const Values& values) {
  _mm512_store_si512(out, pair_of(values.of<0>(codes), values.of<1>(codes)));
  _mm512_store_si512(out + 64, pair_of(values.of<2>(codes), values.of<3>(codes)));
}

/// Steps first .. first + n of four codes of a block and group.
inline __attribute__((always_inline)) void expand_steps(char* out, const char* block, const Values& values, int first,
                                                        int n) {
#pragma GCC unroll 8
  for (int s = first; s < first + n; ++s) expand_codes(out + s * 128, _mm512_load_si512(block + s * 128), values);
}

/// The minimum of block b of a superblock at `super`, kept as integers.
inline __attribute__((always_inline)) __m512 super_min(const char* super, int b) {
  const __m512i pair = _mm512_load_si512(super + b / 2 * avx512::kBlockStride + kMinPlane);
  const __m512i word = (b % 2 == 0) ? _mm512_and_si512(pair, _mm512_set1_epi32(0xffff)) : _mm512_srli_epi32(pair, 16);
  return _mm512_mul_ps(_mm512_cvtepi32_ps(word), _mm512_load_ps(super + kMinUnit));
}

enum class Mins { kNone, kFloat, kSuper };

/// One text for all minima: its branches go the same way from the first block to the last.
template <int kHalves>
void expand(void* panel, const void* codes, int64_t n, Mins mins) {
  auto* out = static_cast<char*>(panel);
  const auto* in = static_cast<const char*>(codes);
  for (int64_t b = 0; b < n / kActBlock; ++b) {
    for (int g = 0; g < 2; ++g, out += kTileBytes) {
      const char* block = in + b * avx512::kBlockStride + g * 64;
#pragma GCC unroll 2
      for (int half = 0; half < kHalves; ++half) {
        Values values(_mm512_load_ps(block + kCodeBytes + half * kHalfBytes));
        if (mins == Mins::kFloat) {
          const __m512 min = _mm512_load_ps(block + kCodeBytes + half * kHalfBytes + 2 * kPlaneBytes);
          values.offset = _mm512_add_ps(values.offset, min);
        } else if (mins == Mins::kSuper) {
          const __m512 min = super_min(in + b / 8 * 8 * avx512::kBlockStride + g * 64, static_cast<int>(b % 8));
          values.offset = _mm512_add_ps(values.offset, min);
        }
        expand_steps(out, block, values, half * 8 / kHalves, 8 / kHalves);
      }
    }
  }
}

void expand_scale32(void* panel, const void* codes, int64_t n) {
  expand<1>(panel, codes, n, Mins::kNone);
}
void expand_scale32_min(void* panel, const void* codes, int64_t n) {
  expand<1>(panel, codes, n, avx512::has_super_mins(codes) ? Mins::kSuper : Mins::kFloat);
}
void expand_scale16(void* panel, const void* codes, int64_t n) {
  expand<2>(panel, codes, n, Mins::kNone);
}
void expand_scale16_min(void* panel, const void* codes, int64_t n) {
  expand<2>(panel, codes, n, Mins::kFloat);
}

/// A block of rows of Q8_0, 32 elements of 16 rows at a time, without a panel of codes between.
void widen_Q8_0(void* block, const WeightTile& tile, int64_t n) {
  constexpr int64_t kBytes = sizeof(BlockQ8_0);
  for (int g = 0; g < 2; ++g) {
    avx512::Rows rows(tile, 16 * g, 1);
    rows.take_share(tile, 16 * g, 16, n / kActBlock, kBytes);
    char* out = static_cast<char*>(block) + g * kTileBytes;
    for (int64_t at = 0; at < n / kActBlock * kBytes; at += kBytes, out += 2 * kTileBytes) {
      rows.prefetch<1>(at);
      __m512i codes[8];
      avx512::transpose_32_bytes(codes, rows, at + 2);
      const Values values(avx512::low_halves(avx512::gather_dwords(rows, at)));
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s)
        expand_codes(out + s * 128, _mm512_xor_si512(codes[s], _mm512_set1_epi8(-128)), values);
    }
  }
}

}  // namespace

void overlay_wide_weights(WideKernels& wide) {
  wide.split[static_cast<int>(TypeIndex::kF16)] = split_F16;
  wide.has_rests[static_cast<int>(TypeIndex::kF16)] = true;
  wide.split[static_cast<int>(TypeIndex::kBF16)] = split_BF16;
  wide.expand[static_cast<int>(PanelKind::kScale32)] = expand_scale32;
  wide.expand[static_cast<int>(PanelKind::kScale32Min)] = expand_scale32_min;
  wide.expand[static_cast<int>(PanelKind::kScale16)] = expand_scale16;
  wide.expand[static_cast<int>(PanelKind::kScale16Min)] = expand_scale16_min;
  wide.widen[static_cast<int>(TypeIndex::kQ8_0)] = widen_Q8_0;
}

}  // namespace hearth::kernels::amx
