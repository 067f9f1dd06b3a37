// Products without a panel: of one column, multiplied as its weights are decoded, and of few (few_columns.h).
#pragma once

#include "kernels/avx512/few_columns.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

/// Decoders hand to this writer what it multiplies by a few columns at once, with the very operations of the panel's
/// loop (multiply.h).
template <int kCols, int kHalves, bool kMin>
struct DotWriter {
  __m512 total[kCols];
  const int8_t* q;        ///< codes of the columns from block 0 on
  const float* d;         ///< scales
  const float* sums;      ///< sum32 or sum16
  const int32_t* init;    ///< init32 or init16
  const int32_t* sum256;  ///< of the superblock
  const float* d256;
  __m512i dot[8][kHalves][kCols];
  __m512 scales[8][kHalves];
  __m512 mins[8][kHalves];
  __m512i min_dot[kCols];

  inline __attribute__((always_inline)) void scale(int block, int half, __m512 value) { scales[block][half] = value; }
  inline __attribute__((always_inline)) void min(int block, int half, __m512 value) { mins[block][half] = value; }
  inline __attribute__((always_inline)) void min_pair(int pair, __m512i words) {
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512i a = _mm512_set1_epi32(sum256[pair * kCols + c]);
      min_dot[c] = _mm512_dpwssd_epi32(pair == 0 ? _mm512_setzero_si512() : min_dot[c], words, a);
    }
  }
  inline __attribute__((always_inline)) void min_unit(__m512 unit) {
    mins[0][0] = unit;
  }
  /// After the last block of a superblock with integer minimums.
  inline __attribute__((always_inline)) void finish_mins() {
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) total[c] = take_off_mins(total[c], min_dot[c], mins[0][0], _mm512_set1_ps(d256[c]));
  }
  inline __attribute__((always_inline)) void code(int block, int step, __m512i value) {
    const int half = (kHalves == 1) ? 0 : step / 4;
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      __m512i& sum = dot[block][half][c];
      if (step % (8 / kHalves) == 0) sum = _mm512_set1_epi32(init[(block * kHalves + half) * kCols + c]);
      int32_t four;
      __builtin_memcpy(&four, q + ((block * 8 + step) * kCols + c) * 4, 4);
      sum = _mm512_dpbusd_epi32(sum, value, _mm512_set1_epi32(four));
    }
  }
  inline __attribute__((always_inline)) void finish(int block) {
    const __m512 factor = scales[block][0];
    const __m512 magic = _mm512_mul_ps(factor, _mm512_set1_ps(kMagic));
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      __m512 scaled = _mm512_fmsub_ps(_mm512_castsi512_ps(dot[block][0][c]), factor, magic);
      if (kHalves == 2) {
        scaled = _mm512_fmadd_ps(sum_to_float(dot[block][kHalves - 1][c]), scales[block][kHalves - 1], scaled);
      }
      total[c] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(d[block * kCols + c]), total[c]);
#pragma GCC unroll 2
      for (int half = 0; half < (kMin ? kHalves : 0); ++half) {
        const __m512 sum = _mm512_set1_ps(sums[(block * kHalves + half) * kCols + c]);
        total[c] = _mm512_fnmadd_ps(mins[block][half], sum, total[c]);
      }
    }
  }
};

/// out[c * ldo + r] = row r of a tile times column c of k elements, packed as groups of kPanelBlocks blocks.
template <typename Decoder, int kCols>
inline __attribute__((always_inline)) void dot_tile(float* out, int64_t ldo, const WeightTile& tile, const void* acts,
                                                    int64_t stride, int64_t k) {
  for (int i = 0; i < LaneRows::rows_per_lane(tile); ++i) {
    LaneRows lanes(tile, i);
    DotWriter<kCols, Decoder::kHalves, Decoder::kMin> writer;
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) writer.total[c] = _mm512_setzero_ps();
    int64_t at = 0;
    const char* chunk = static_cast<const char*>(acts);
    for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
      const ActGroup x = act_group_at(const_cast<char*>(chunk), kChunk, kCols);
      writer.q = x.q;
      writer.d = x.d;
      writer.sums = (Decoder::kHalves == 1) ? x.sum32 : x.sum16;
      writer.init = (Decoder::kHalves == 1) ? x.init32 : x.init16;
      writer.sum256 = x.sum256;
      writer.d256 = x.d256;
      const int64_t n = (left < kChunk) ? left : kChunk;
      for (int64_t b = 0; b < n / (32 * Decoder::kBlocks); ++b, at += Decoder::kBytes) {
        lanes.come_to(at);
        Decoder::run(writer, lanes.rows, at);
        if constexpr (kHasSuperMins<Decoder>) {
          writer.finish_mins();
          writer.sum256 += 4 * kCols;
          writer.d256 += kCols;
        }
        writer.q += 32 * Decoder::kBlocks * kCols;
        writer.d += Decoder::kBlocks * kCols;
        writer.sums += Decoder::kBlocks * Decoder::kHalves * kCols;
        writer.init += Decoder::kBlocks * Decoder::kHalves * kCols;
      }
    }
    for (int c = 0; c < kCols; ++c) lanes.store(out + c * ldo, writer.total[c]);
  }
}

/// The same for n_cols columns: as they are decoded, if there are kDots at most, else by strips.
template <typename Decoder, int kDots, int kCols = 1>
inline __attribute__((always_inline)) void dot_columns(const RowsDecoder& type, float* out, int64_t ldo,
                                                       const WeightTile& tile, const void* acts, int64_t stride,
                                                       int64_t k, int n_cols) {
  if constexpr (kCols > kDots) {
    few_columns(type, out, ldo, tile, acts, stride, k, n_cols);
  } else if (n_cols == kCols) {
    dot_tile<Decoder, kCols>(out, ldo, tile, acts, stride, k);
  } else {
    dot_columns<Decoder, kDots, kCols + 1>(type, out, ldo, tile, acts, stride, k, n_cols);
  }
}

}  // namespace
}  // namespace hearth::kernels::avx512

/// Defines decode_<Name>, dot_columns_<Name> and dot_most_cols_<Name> in namespace avx512. Up to kDots columns are
/// multiplied as they are decoded: faster, where the decoder keeps to registers, but the code for each of them is long.
#define HEARTH_DEFINE_KERNELS(Name, Decoder, kDots)                                                               \
  constexpr RowsDecoder kRows##Name = {decode_rows<Decoder>, Decoder::kBlocks, Decoder::kBytes, kKindOf<Decoder>, \
                                       kHasSuperMins<Decoder>};                                                   \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) {                                            \
    decode_tile(kRows##Name, panel, tile, n);                                                                     \
  }                                                                                                               \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride,      \
                          int64_t k, int n_cols) {                                                                \
    dot_columns<Decoder, kDots>(kRows##Name, out, ldo, tile, acts, stride, k, n_cols);                            \
  }                                                                                                               \
  extern const int dot_most_cols_##Name = kGroupCols;
