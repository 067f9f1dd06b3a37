// Panels of the types that are decoded row by row (simd/row_codes.h).
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"
//
#include "kernels/simd/row_codes.h"

namespace hearth::kernels::avx512 {
namespace {

template <typename Row>
struct DecodeRows {
  static constexpr int kBlocks = Row::kBlocks;
  static constexpr int kHalves = Row::kHalves;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(typename Row::Block);

  template <typename Sink>
  static inline __attribute__((always_inline)) void run(Sink& sink, const Rows& rows, int64_t at) {
    rows.prefetch<(kBytes + 63) / 64>(at);
    const auto block = [&rows, at](int r) -> const typename Row::Block& {
      return *static_cast<const typename Row::Block*>(static_cast<const void*>(rows.row[r] + at));
    };
    typename Row::Prepared prepared[16];
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) Row::prepare(prepared[r], block(r));
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      __m256i of_row[16];
#pragma GCC unroll 16
      for (int r = 0; r < 16; ++r) of_row[r] = _mm256_castps_si256(Row::scales(block(r), half));
      __m512i of_block[8];
      transpose_registers(of_block, of_row);
#pragma GCC unroll 8
      for (int j = 0; j < kBlocks; ++j) sink.scale(j, half, _mm512_castsi512_ps(of_block[j]));
    }
#pragma GCC unroll 1
    for (int j = 0; j < kBlocks; ++j) {
      __m256i codes[16];
#pragma GCC unroll 16
      for (int r = 0; r < 16; ++r) codes[r] = Row::codes(block(r), prepared[r], j);
      __m512i steps[8];
      transpose_registers(steps, codes);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) sink.code(j, s, _mm512_xor_si512(steps[s], _mm512_set1_epi8(-128)));
      sink.finish(j);
    }
  }
};
static_assert(kCodeOffset == 128);

}  // namespace

#define HEARTH_DEFINE_ROW_KERNELS(Name, Row) HEARTH_DEFINE_KERNELS(Name, DecodeRows<Row>)
HEARTH_ROW_TYPES(HEARTH_DEFINE_ROW_KERNELS)
#undef HEARTH_DEFINE_ROW_KERNELS

}  // namespace hearth::kernels::avx512
