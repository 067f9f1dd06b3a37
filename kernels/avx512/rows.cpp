// Products of the types that are decoded row by row (x86/row_codes.h): what is read of 16 rows becomes a piece of a
// panel. One column meets the entries of codebooks without one (row_codes.h).
#include "kernels/avx512/few_columns.h"
#include "kernels/avx512/matmul.h"
//
#include "kernels/avx512/row_codes.h"

namespace hearth::kernels::avx512 {
namespace {

/// Up to kStripBlocks blocks of 32 of each of 16 rows.
struct RowStrip {
  __m256i codes[16][kStripBlocks];        ///< of a row: bytes in their order, plus kCodeOffset
  float scales[2][16][2 * kStripBlocks];  ///< of a row, for each half of its blocks; the last eight hold nothing
};

/// What 256 elements of 16 rows make with a column.
struct RowSums {
  __m512i of_row[16];    ///< of a row: sums of 16 elements each
  __m256 scales[2][16];  ///< of a row, for each half of its blocks
};

/// A type for the functions that all of them share.
struct RowType {
  RowsDecoder decoder;
  int halves;
  void (*read)(RowStrip& strip, const Rows& rows, int64_t at, int64_t n);  ///< read_strip
  // Only of types with codebooks:
  void (*multiply)(RowSums& sums, const Rows& rows, int64_t at, const int8_t* q) = nullptr;  ///< multiply_rows
  bool offset = false;                                                                       ///< RowDots::kOffset
};

/// The lines of a block of each of 16 rows.
template <int64_t kBytes>
inline __attribute__((always_inline)) void prefetch_block(const Rows& rows, int64_t at) {
  if (rows.ahead == 0) return;
  if (rows.per_row > 0) return rows.prefetch_share(at, 0, 16);
  uintptr_t p = rows.ahead + static_cast<uintptr_t>(at);
#pragma GCC unroll 1
  for (int r = 0; r < 16; ++r, p += static_cast<uintptr_t>(rows.ahead_stride)) {
    _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
    if (kBytes > 64) _mm_prefetch(reinterpret_cast<const char*>(p + 64), _MM_HINT_T0);
  }
}

/// Reads n blocks of 32 from byte `at` of 16 rows on.
template <typename Row>
__attribute__((noinline)) void read_strip(RowStrip& strip, const Rows& rows, int64_t at, int64_t n) {
  using Block = typename Row::Block;
#pragma GCC unroll 1
  for (int64_t first = 0; first < n; first += Row::kBlocks, at += int64_t{sizeof(Block)}) {
    prefetch_block<int64_t{sizeof(Block)}>(rows, at);
#pragma GCC unroll 1
    for (int r = 0; r < 16; ++r) {
      const auto& block = *static_cast<const Block*>(static_cast<const void*>(rows.row[r] + at));
      typename Row::Prepared prepared;
      Row::prepare(prepared, block);
#pragma GCC unroll 2
      for (int half = 0; half < Row::kHalves; ++half) {
        _mm256_storeu_ps(strip.scales[half][r] + first, Row::scales(block, half));
      }
#pragma GCC unroll 8
      for (int j = 0; j < Row::kBlocks; ++j) {
        strip.codes[r][first + j] = _mm256_add_epi8(Row::codes(block, prepared, j), _mm256_set1_epi8(-128));
      }
    }
  }
}
static_assert(kCodeOffset == 128);

/// out[j] lane r = scale of block j of row r, whose scales are eight floats, `stride` from row to row.
inline __attribute__((always_inline)) void scales_of_rows(__m512i out[kStripBlocks], const float* of_row,
                                                          int64_t stride) {
  __m512i v[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const auto row = [&](int r) {
      return static_cast<const uint8_t*>(static_cast<const void*>(of_row + (i + r) * stride));
    };
    v[i] = load_2_lanes(row(0), row(4));
    v[i + 4] = load_2_lanes(row(8), row(12));
  }
  transpose_8(out, v);
}

/// As decode_rows.
__attribute__((noinline)) void decode_by_rows(const RowType& type, char* codes, const Rows& rows, int64_t at,
                                              int64_t n) {
  RowStrip strip;
  Rows of_strip = rows;
  for (int r = 0; r < 16; ++r) of_strip.row[r] = static_cast<const uint8_t*>(static_cast<const void*>(strip.codes[r]));
  for (int64_t left = n; left > 0; left -= kStripBlocks, codes += kStripBlocks * kBlockStride) {
    const int64_t n_blocks = left < kStripBlocks ? left : kStripBlocks;
    type.read(strip, rows, at, n_blocks);
    at += n_blocks / type.decoder.blocks * type.decoder.bytes;
    PanelWriter writer = {codes};
    for (int half = 0; half < type.halves; ++half) {
      __m512i scales[kStripBlocks];
      scales_of_rows(scales, strip.scales[half][0], 2 * kStripBlocks);
#pragma GCC unroll 8
      for (int j = 0; j < kStripBlocks; ++j) {
        if (j < n_blocks) writer.scale(j, half, _mm512_castsi512_ps(scales[j]));
      }
    }
    for (int j = 0; j < n_blocks; ++j) {
      __m512i steps[8];
      transpose_32_bytes(steps, of_strip, int64_t{j} * kActBlock);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) writer.code(j, s, steps[s]);
    }
  }
}

/// The sums of a Block of 16 rows with codes q of a column.
template <typename Row>
__attribute__((noinline)) void multiply_rows(RowSums& sums, const Rows& rows, int64_t at, const int8_t* q) {
  using Block = typename Row::Block;
  prefetch_block<int64_t{sizeof(Block)}>(rows, at);
  const typename RowDots<Row>::Column column(q);
#pragma GCC unroll 1
  for (int r = 0; r < 16; ++r) {
    const auto& block = *static_cast<const Block*>(static_cast<const void*>(rows.row[r] + at));
    typename Row::Prepared prepared;
    Row::prepare(prepared, block);
#pragma GCC unroll 2
    for (int half = 0; half < Row::kHalves; ++half) sums.scales[half][r] = Row::scales(block, half);
    sums.of_row[r] = RowDots<Row>::times(column, block, prepared);
  }
}

/// total + what the sums of eight blocks make, which begin at block `b` of a column: the very operations of the panel's
/// loop (multiply.h), a lane for each row.
__attribute__((noinline)) __m512 add_sums(__m512 total, const RowType& type, const RowSums& sums, const ActGroup& x,
                                          int64_t b) {
  __m512i sum[16], scales[2][8];
  transpose_16(sum, sums.of_row);
  for (int half = 0; half < type.halves; ++half) {
    scales_of_rows(scales[half], static_cast<const float*>(static_cast<const void*>(sums.scales[half])), 8);
  }
#pragma GCC unroll 1
  for (int64_t j = 0; j < 8; ++j) {
    const __m512 scale = _mm512_castsi512_ps(scales[0][j]), magic = _mm512_mul_ps(scale, _mm512_set1_ps(kMagic));
    __m512 scaled;
    if (type.halves == 1) {
      const __m512i start = _mm512_set1_epi32(type.offset ? x.init32[b + j] : kMagicBits);
      const __m512i dot = _mm512_add_epi32(_mm512_add_epi32(sum[2 * j], sum[2 * j + 1]), start);
      scaled = _mm512_fmsub_ps(_mm512_castsi512_ps(dot), scale, magic);
    } else {
      const int32_t* init = x.init16 + 2 * (b + j);
      const __m512i first = _mm512_set1_epi32(type.offset ? init[0] : kMagicBits);
      const __m512i second = _mm512_set1_epi32(type.offset ? init[1] : kMagicBits);
      scaled = _mm512_fmsub_ps(_mm512_castsi512_ps(_mm512_add_epi32(sum[2 * j], first)), scale, magic);
      scaled = _mm512_fmadd_ps(sum_to_float(_mm512_add_epi32(sum[2 * j + 1], second)),
                               _mm512_castsi512_ps(scales[1][j]), scaled);
    }
    total = _mm512_fmadd_ps(scaled, _mm512_set1_ps(x.d[b + j]), total);
  }
  return total;
}

/// As dot_columns.
__attribute__((noinline)) void multiply_by_rows(const RowType& type, float* out, int64_t ldo, const WeightTile& tile,
                                                const void* acts, int64_t stride, int64_t k, int n_cols) {
  if (n_cols > 1 || type.multiply == nullptr) {
    return few_columns(type.decoder, out, ldo, tile, acts, stride, k, n_cols);
  }
  RowSums sums;
  for (int i = 0; i < LaneRows::rows_per_lane(tile); ++i) {
    LaneRows lanes(tile, i);
    __m512 total = _mm512_setzero_ps();
    int64_t at = 0;
    const char* chunk = static_cast<const char*>(acts);
    for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
      const ActGroup x = act_group_at(const_cast<char*>(chunk), kChunk, 1);
      const int64_t n_blocks = (left < kChunk ? left : kChunk) / kActBlock;
      for (int64_t b = 0; b < n_blocks; b += kStripBlocks, at += type.decoder.bytes) {
        lanes.come_to(at);
        type.multiply(sums, lanes.rows, at, x.q + b * kActBlock);
        total = add_sums(total, type, sums, x, b);
      }
    }
    lanes.store(out, total);
  }
}

template <typename Row>
concept HasCodebook = requires {
  RowDots<Row>::kOffset;
};
template <typename Row>
constexpr auto multiply_of() -> decltype(RowType::multiply) {
  if constexpr (HasCodebook<Row>) return multiply_rows<Row>;
  return nullptr;
}
template <typename Row>
constexpr bool has_offset() {
  if constexpr (HasCodebook<Row>) return RowDots<Row>::kOffset;
  return false;
}

template <typename Row>
struct OfRow {
  static const RowType kType;
  static void decode(char* codes, const Rows& rows, int64_t at, int64_t n) {
    decode_by_rows(kType, codes, rows, at, n);
  }
};
template <typename Row>
constexpr RowType OfRow<Row>::kType = {{OfRow::decode, Row::kBlocks, int64_t{sizeof(typename Row::Block)},
                                        Row::kHalves == 2 ? PanelKind::kScale16 : PanelKind::kScale32, false},
                                       Row::kHalves,
                                       read_strip<Row>,
                                       multiply_of<Row>(),
                                       has_offset<Row>()};

}  // namespace

#define HEARTH_DEFINE_ROW_KERNELS(Name, Row)                                                                 \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) {                                       \
    decode_tile(OfRow<Row>::kType.decoder, panel, tile, n);                                                  \
  }                                                                                                          \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols) {                                                           \
    multiply_by_rows(OfRow<Row>::kType, out, ldo, tile, acts, stride, k, n_cols);                            \
  }                                                                                                          \
  extern const int dot_most_cols_##Name = kGroupCols;
HEARTH_ROW_DECODERS(HEARTH_DEFINE_ROW_KERNELS)
#undef HEARTH_DEFINE_ROW_KERNELS

}  // namespace hearth::kernels::avx512
