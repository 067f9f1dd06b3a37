// Panels of the types that are decoded row by row (x86/row_codes.h).
#include "kernels/avx512/dot.h"
#include "kernels/avx512/matmul.h"
//
#include "kernels/x86/row_codes.h"

namespace hearth::kernels::avx512 {
namespace {

/// What a Block of each of 8 rows holds.
template <typename Row>
struct RowBlocks {
  __m256i codes[Row::kBlocks][8];   ///< of a row: 32 bytes in their order
  __m256i scales[Row::kHalves][8];  ///< of a row: lane j of the scale of block j
};

/// Decodes the Blocks at byte `at` of 8 rows; codes are given plus kCodeOffset. One function for all writers of a type,
/// since their code would be long.
template <typename Row>
__attribute__((noinline)) void decode_row_blocks(RowBlocks<Row>& out, const uint8_t* const rows[8], int64_t at) {
#pragma GCC unroll 1
  for (int r = 0; r < 8; ++r) {
    const auto& block = *static_cast<const typename Row::Block*>(static_cast<const void*>(rows[r] + at));
    typename Row::Prepared prepared;
    Row::prepare(prepared, block);
#pragma GCC unroll 2
    for (int half = 0; half < Row::kHalves; ++half) {
      out.scales[half][r] = _mm256_castps_si256(Row::scales(block, half));
    }
#pragma GCC unroll 8
    for (int j = 0; j < Row::kBlocks; ++j) {
      const __m256i codes = Row::codes(block, prepared, j);
      out.codes[j][r] = _mm256_add_epi8(codes, _mm256_set1_epi8(-128));
    }
  }
}

static_assert(kCodeOffset == 128);

template <typename Row>
struct DecodeRows {
  static constexpr int kBlocks = Row::kBlocks;
  static constexpr int kHalves = Row::kHalves;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(typename Row::Block);

  /// The lines of a block of each of 16 rows; a loop, since the code of all types adds up.
  static inline __attribute__((always_inline)) void prefetch(const Rows& rows, int64_t at) {
    if (rows.ahead == 0) return;
    if (rows.per_row > 0) return rows.prefetch_share(at, 0, 16);
    uintptr_t p = rows.ahead + static_cast<uintptr_t>(at);
#pragma GCC unroll 1
    for (int r = 0; r < 16; ++r, p += static_cast<uintptr_t>(rows.ahead_stride)) {
      _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
      if (kBytes > 64) _mm_prefetch(reinterpret_cast<const char*>(p + 64), _MM_HINT_T0);
    }
  }

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    prefetch(rows, at);
    RowBlocks<Row> low, high;  // rows 0..7 and 8..15
    decode_row_blocks<Row>(low, rows.row, at);
    decode_row_blocks<Row>(high, rows.row + 8, at);
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      __m512i of_block[8];
      transpose_registers(of_block, low.scales[half], high.scales[half]);
#pragma GCC unroll 8
      for (int j = 0; j < kBlocks; ++j) writer.scale(j, half, _mm512_castsi512_ps(of_block[j]));
    }
#pragma GCC unroll 1
    for (int j = 0; j < kBlocks; ++j) {
      __m512i steps[8];
      transpose_registers(steps, low.codes[j], high.codes[j]);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) writer.code(j, s, steps[s]);
      writer.finish(j);
    }
  }
};

}  // namespace

#define HEARTH_DEFINE_ROW_KERNELS(Name, Row) HEARTH_DEFINE_KERNELS(Name, DecodeRows<Row>, 0)
HEARTH_ROW_DECODERS(HEARTH_DEFINE_ROW_KERNELS)
#undef HEARTH_DEFINE_ROW_KERNELS

}  // namespace hearth::kernels::avx512
