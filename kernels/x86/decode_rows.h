// Decoder of the types that are decoded row by row (x86/row_codes.h).
#pragma once

#include "kernels/x86/decode.h"
#include "kernels/x86/row_codes.h"

namespace hearth::kernels {
namespace {

template <typename Row>
struct DecodeRows {
  static constexpr Codes kCodes = Row::kLargest <= 15 ? Codes::kBiased : Codes::kSigned;
  static constexpr int kHalves = Row::kHalves;
  static constexpr char kBias = kHalves == 1 ? 16 : 32;  ///< what biased codes are stored higher by
  static constexpr bool kMin = false;
  static constexpr int kBlocks = Row::kBlocks;
  static constexpr int64_t kBytes = sizeof(typename Row::Block);
  static constexpr int kDotCols = 1;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<(kBytes + 63) / 64>(rows, at);
    const auto block = [&rows, at](int r) -> const typename Row::Block& {
      return *static_cast<const typename Row::Block*>(static_cast<const void*>(rows.row(r) + at));
    };
    // Once in a block, rows take turns in a loop: unrolled, one column is up to a tenth faster, and the library larger.
    typename Row::Prepared prepared[8];
#pragma GCC unroll 1
    for (int r = 0; r < 8; ++r) Row::prepare(prepared[r], block(r));
    __m256i scales[kHalves][8];  // lane r of vector j: of block j of row r
#pragma GCC unroll 1
    for (int half = 0; half < kHalves; ++half) {
      __m256i of_row[8];
#pragma GCC unroll 1
      for (int r = 0; r < 8; ++r) of_row[r] = _mm256_castps_si256(Row::scales(block(r), half));
      arrange_32<RowsInLanes>(scales[half], of_row);
    }
#pragma GCC unroll 1
    for (int j = 0; j < kBlocks; ++j) {
#pragma GCC unroll 2
      for (int half = 0; half < kHalves; ++half) writer.scale(0, half, _mm256_castsi256_ps(scales[half][j]));
      __m256i codes[8];
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) {
        codes[r] = Row::codes(block(r), prepared[r], j);
        if (is_biased(kCodes)) codes[r] = _mm256_add_epi8(codes[r], _mm256_set1_epi8(kBias));
      }
      __m256i parts[8];
      arrange_32<Writer>(parts, codes);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) writer.code(0, s, parts[s]);
      writer.template done<1>();
    }
  }
};

}  // namespace
}  // namespace hearth::kernels
