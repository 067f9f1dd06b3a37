// Products of many columns by the bfloat16 tiles. A is the activations as they come, B the weights, whose values (scale
// x code - minimum) are rounded once: nothing is scaled between the sums, which stay in tiles for a chunk of the rows.
// The base's decoders leave a panel of codes with rows in lanes, which is B but for the width of its elements.
//
//   activations   [chunk][block of 32 columns][step of 32 elements][column][32]
//   panel         [block of 32 rows][step][2 groups of 16 rows][16 pairs of elements][16 rows][2]
//   sums          [block of 32 rows][column][32 rows]
//
// A block of columns stays in the first-level cache while panel and sums stream by (TILELOADDT1 keeps them from taking
// its place).
#include <algorithm>

#include "kernels/amx/overlay.h"
#include "kernels/amx/tiles.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::amx {
namespace {

using avx512::kCodeBytes;
using avx512::kHalfBytes;
using avx512::kMinPlane;
using avx512::kMinUnit;
using avx512::kPlaneBytes;

constexpr int64_t kStepBytes = 2 * kTileBytes;  // of a block of rows

constexpr int kBlockCols = 2 * kTileRows;
constexpr int64_t kChunkSteps = kWideChunk / kTileDepth;

/// The nearest bfloat16 numbers, those of low first.
inline __attribute__((always_inline)) __m512i nearest(__m512 low, __m512 high) {
  const __m512bh both = _mm512_cvtne2ps_pbh(high, low);
  __m512i bits;
  __builtin_memcpy(&bits, &both, sizeof bits);
  return bits;
}

/// x without the bfloat16 numbers nearest to it.
inline __attribute__((always_inline)) __m512 rest_of(__m512 x, __m256i near) {
  return _mm512_sub_ps(x, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(near), 16)));
}

inline __attribute__((always_inline)) __m512i rests_of(__m512 low, __m512 high) {
  const __m512i near = nearest(low, high);
  return nearest(rest_of(low, _mm512_castsi512_si256(near)), rest_of(high, _mm512_extracti64x4_epi64(near, 1)));
}

/// Where the activations of a chunk lie.
struct Chunk {
  char* x;
  int64_t n_steps;

  inline __attribute__((always_inline)) Chunk(const WideActs& acts, int64_t chunk)
      : x(static_cast<char*>(acts.x) + chunk * kChunkSteps * acts.n_cols * 64) {
    n_steps = (wide_chunk_end(chunk * kWideChunk, acts.k) - chunk * kWideChunk) / kTileDepth;
  }
  /// The block that begins with column c.
  inline __attribute__((always_inline)) char* block(int64_t c) const { return x + c * n_steps * 64; }
};

inline __attribute__((always_inline)) int cols_of_block(const WideActs& acts, int64_t c) {
  return (acts.n_cols - c < kBlockCols) ? static_cast<int>(acts.n_cols - c) : kBlockCols;
}

/// The numbers, or what bfloat16 leaves of them.
template <bool kRests>
inline __attribute__((always_inline)) void pack_columns(const WideActs& acts, int64_t first, int n,
                                                        const float* const* x) {
  for (int64_t k = 0; k < acts.k; k = wide_chunk_end(k, acts.k)) {
    const Chunk chunk(acts, k / kWideChunk);
    for (int i = 0; i < n; ++i) {
      const int64_t in_block = (first + i) % kBlockCols, c = first + i - in_block;
      for (int64_t s = 0; s < chunk.n_steps; ++s) {
        const float* from = x[i] + k + s * kTileDepth;
        const __m512 low = _mm512_loadu_ps(from), high = _mm512_loadu_ps(from + 16);
        const __m512i both = kRests ? rests_of(low, high) : nearest(low, high);
        _mm512_store_si512(chunk.block(c) + (s * cols_of_block(acts, c) + in_block) * 64, both);
      }
    }
  }
}

void pack(const WideActs& acts, int64_t first, int n, const float* const* x) {
  pack_columns<false>(acts, first, n, x);
}
void pack_rests(const WideActs& acts, int64_t first, int n, const float* const* x) {
  pack_columns<true>(acts, first, n, x);
}

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

  /// Of half `half` of a block at `block`, codes with kCodeOffset added; the minimum is left out. Rounding the offset
  /// puts values off by a thousandth of the scale at most, where bfloat16 leaves eight bits of them.
  inline __attribute__((always_inline)) Values(const char* block, int half)
      : scale(_mm512_load_ps(block + kCodeBytes + half * kHalfBytes)),
        offset(_mm512_mul_ps(scale, _mm512_set1_ps(kUnit + avx512::kCodeOffset))) {}

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

/// Steps first .. first + n of four codes of a block and group.
inline __attribute__((always_inline)) void expand_steps(char* out, const char* block, const Values& values, int first,
                                                        int n) {
#pragma GCC unroll 8
  for (int s = first; s < first + n; ++s) {
    const __m512i codes = _mm512_load_si512(block + s * 128);
    _mm512_store_si512(out + s * 128, pair_of(values.of<0>(codes), values.of<1>(codes)));
    _mm512_store_si512(out + s * 128 + 64, pair_of(values.of<2>(codes), values.of<3>(codes)));
  }
}

/// The minimum of block b of a superblock at `super`, kept as integers.
inline __attribute__((always_inline)) __m512 super_min(const char* super, int b) {
  const __m512i pair = _mm512_load_si512(super + b / 2 * avx512::kBlockStride + kMinPlane);
  const __m512i word = (b % 2 == 0) ? _mm512_and_si512(pair, _mm512_set1_epi32(0xffff)) : _mm512_srli_epi32(pair, 16);
  return _mm512_mul_ps(_mm512_cvtepi32_ps(word), _mm512_load_ps(super + kMinUnit));
}

enum class Mins { kNone, kFloat, kSuper };

template <int kHalves, Mins kMins>
inline __attribute__((always_inline)) void expand_blocks(char* out, const char* codes, int64_t nb) {
  for (int64_t b = 0; b < nb; ++b) {
    for (int g = 0; g < 2; ++g, out += kTileBytes) {
      const char* block = codes + b * avx512::kBlockStride + g * 64;
#pragma GCC unroll 2
      for (int half = 0; half < kHalves; ++half) {
        Values values(block, half);
        if (kMins == Mins::kFloat) {
          const __m512 min = _mm512_load_ps(block + kCodeBytes + half * kHalfBytes + 2 * kPlaneBytes);
          values.offset = _mm512_add_ps(values.offset, min);
        } else if (kMins == Mins::kSuper) {
          const __m512 min = super_min(codes + b / 8 * 8 * avx512::kBlockStride + g * 64, static_cast<int>(b % 8));
          values.offset = _mm512_add_ps(values.offset, min);
        }
        expand_steps(out, block, values, half * 8 / kHalves, 8 / kHalves);
      }
    }
  }
}

template <int kHalves, bool kMin>
inline __attribute__((always_inline)) void expand(void* panel, const void* codes, int64_t n) {
  auto* out = static_cast<char*>(panel);
  const auto* in = static_cast<const char*>(codes);
  const int64_t nb = n / kActBlock;
  if constexpr (!kMin) {
    expand_blocks<kHalves, Mins::kNone>(out, in, nb);
  } else if (kHalves == 1 && avx512::has_super_mins(codes)) {
    expand_blocks<1, Mins::kSuper>(out, in, nb);
  } else {
    expand_blocks<kHalves, Mins::kFloat>(out, in, nb);
  }
}

void expand_scale32(void* panel, const void* codes, int64_t n) {
  expand<1, false>(panel, codes, n);
}
void expand_scale32_min(void* panel, const void* codes, int64_t n) {
  expand<1, true>(panel, codes, n);
}
void expand_scale16(void* panel, const void* codes, int64_t n) {
  expand<2, false>(panel, codes, n);
}
void expand_scale16_min(void* panel, const void* codes, int64_t n) {
  expand<2, true>(panel, codes, n);
}

constexpr int64_t kSumBytes = kPanelRows * sizeof(float);  ///< of a column

/// Sums of a block that tiles have made: they wait in the first-level cache for what earlier chunks gave, and are added
/// to it and brought where they belong while the next block is multiplied. So that one begins with zeros at once, and
/// no tile waits for lines from afar.
struct Sums {
  const char* tiles;  ///< [column][32 rows], as the tiles left them
  const char* acc;    ///< the same of earlier chunks
  __mmask16 adds;     ///< none of its bits: there are none
  char* to = nullptr;
  int64_t ld = 0;  ///< bytes from column to column there
  int n_cols = 0;  ///< still to be brought there

  inline __attribute__((always_inline)) void finish_column() {
    const __m512 low = _mm512_maskz_loadu_ps(adds, acc), high = _mm512_maskz_loadu_ps(adds, acc + 64);
    _mm512_storeu_ps(to, _mm512_add_ps(low, _mm512_load_ps(tiles)));
    _mm512_storeu_ps(to + 64, _mm512_add_ps(high, _mm512_load_ps(tiles + 64)));
    tiles += kSumBytes;
    acc += kSumBytes;
    to += ld;
  }
};

/// What is fetched while a block is multiplied: the lines that its own sums will go to into the first-level cache, into
/// the second the next columns' activations and a share of the weights that will be decoded.
struct Ahead {
  const char* sums = nullptr;  ///< nullptr: they go where those of earlier chunks are
  int64_t ld = 0;              ///< bytes from column to column
  const char* acts;
  int act_lines;                   ///< of 64 bytes a step, a multiple of 4
  const char* weights = nullptr;   ///< the next line
  const char* row_end = nullptr;   ///< of its row
  const char* rows_end = nullptr;  ///< of the last row
  int64_t row_bytes = 0, row_skip = 0;

  /// Rows of weights while the block of columns `turn` of n_turns is multiplied.
  inline __attribute__((always_inline)) void take_weights(const WideNext& next, int64_t turn, int64_t n_turns) {
    const int64_t first = kPanelRows * turn / n_turns, n_rows = kPanelRows * (turn + 1) / n_turns - first;
    weights = rows_end = nullptr;
    if (next.data == nullptr || n_rows == 0) return;
    weights = static_cast<const char*>(static_cast<const void*>(next.data)) + first * next.row_bytes;
    row_end = weights + next.bytes;
    row_bytes = next.row_bytes;
    row_skip = row_bytes - next.bytes;
    rows_end = row_end + (n_rows - 1) * row_bytes;
  }
  inline __attribute__((always_inline)) void fetch() {
    if (sums != nullptr) {
      _mm_prefetch(sums, _MM_HINT_ET0);
      _mm_prefetch(sums + 64, _MM_HINT_ET0);
      sums += ld;
    }
    if (weights >= rows_end) return;
    _mm_prefetch(weights, _MM_HINT_T1);
    weights += 64;
    if (weights < row_end) return;
    weights = row_end + row_skip;
    row_end += row_bytes;
  }
  inline __attribute__((always_inline)) void fetch_acts() {
    for (int i = 0; i < act_lines; i += 4, acts += 256) {
#pragma GCC unroll 4
      for (int l = 0; l < 4; ++l) _mm_prefetch(acts + 64 * l, _MM_HINT_T1);
    }
  }
};

/// Products of 32 elements of a block of columns and a block of rows, and two columns of the sums before them. kFirst:
/// of the first elements, while those are still in the tiles, which bring them to `before`.
template <bool kFirst, bool kFinish>
inline __attribute__((always_inline)) void add_step(const char* b, const char* a, int64_t second, char* before,
                                                    Sums& sums, Ahead& ahead) {
  _tile_stream_loadd(6, b, 64);
  _tile_loadd(4, a, 64);
  if (kFirst) {
    _tile_stored(0, before, kSumBytes);
    _tile_zero(0);
  }
  _tile_dpbf16ps(0, 4, 6);
  ahead.fetch();
  if (kFinish) sums.finish_column();
  _tile_stream_loadd(7, b + kTileBytes, 64);
  if (kFirst) {
    _tile_stored(1, before + 64, kSumBytes);
    _tile_zero(1);
  }
  _tile_dpbf16ps(1, 4, 7);
  _tile_loadd(5, a + second, 64);
  if (kFirst) {
    _tile_stored(2, before + kTileRows * kSumBytes, kSumBytes);
    _tile_zero(2);
  }
  ahead.fetch_acts();
  _tile_dpbf16ps(2, 5, 6);
  ahead.fetch();
  if (kFinish) sums.finish_column();
  if (kFirst) {
    _tile_stored(3, before + kTileRows * kSumBytes + 64, kSumBytes);
    _tile_zero(3);
  }
  _tile_dpbf16ps(3, 5, 7);
}

/// Blocks of columns, the last perhaps with fewer, each by all blocks of rows.
void multiply(const WideBlock* blocks, int n_blocks, const void* panel, const WideActs& acts, int64_t chunk,
              int64_t ldo, bool sets) {
  alignas(64) char before[kBlockCols * kSumBytes];
  const auto take = [&before] {
    _tile_stored(0, before, kSumBytes);
    _tile_stored(1, before + 64, kSumBytes);
    _tile_stored(2, before + kTileRows * kSumBytes, kSumBytes);
    _tile_stored(3, before + kTileRows * kSumBytes + 64, kSumBytes);
  };
  const auto finish = [](Sums& sums) {
    for (; sums.n_cols > 0; --sums.n_cols) sums.finish_column();
  };
  Tiles tiles;
  Sums sums = {before, before, 0};
  const Chunk x(acts, chunk);
  const int64_t n_turns = (acts.n_cols + kBlockCols - 1) / kBlockCols;
  for (int64_t c = 0; c < acts.n_cols; c += kBlockCols) {
    const int n_cols = cols_of_block(acts, c);
    if (c > 0 && n_cols < kBlockCols) {  // tiles lose what they have when they change their shape
      take();
      finish(sums);
    }
    // The second tile of activations has a row in any case: one that is multiplied for nothing.
    const int first_rows = std::min(n_cols, kTileRows), second_rows = std::max(n_cols - kTileRows, 1);
    const int64_t second = n_cols > kTileRows ? kTileBytes : 0;
    tiles.shape(first_rows, second_rows);
    // Behind the last columns of a chunk the next chunk follows, and behind the last of these the next tile begins.
    // A block of activations has 32 lines for each step, and as many turns to come in time as there are blocks of rows.
    const bool ends = c + n_cols == acts.n_cols && wide_chunk_end(chunk * kWideChunk, acts.k) == acts.k;
    Ahead ahead = {nullptr, 0, ends ? static_cast<char*>(acts.x) : x.block(c + n_cols),
                   n_blocks == kWideBlocks ? 4 : 8};
    for (int i = 0; i < n_blocks; ++i) {
      const char *b = static_cast<const char*>(panel) + i * x.n_steps * kStepBytes, *a = x.block(c);
      const WideBlock& block = blocks[i];
      if (block.out != nullptr) ahead.sums = static_cast<char*>(static_cast<void*>(block.out + c * ldo));
      ahead.ld = ldo * int64_t{sizeof(float)};
      ahead.take_weights(block.next, c / kBlockCols, n_turns);
      add_step<true, false>(b, a, second, before, sums, ahead);
      const int64_t n_finishing = std::min<int64_t>(sums.n_cols / 2, x.n_steps - 1);
      for (int64_t s = 1; s <= n_finishing; ++s) {
        a += n_cols * 64;
        b += kStepBytes;
        add_step<false, true>(b, a, second, before, sums, ahead);
      }
      for (int64_t s = n_finishing + 1; s < x.n_steps; ++s) {
        a += n_cols * 64;
        b += kStepBytes;
        add_step<false, false>(b, a, second, before, sums, ahead);
      }
      sums.n_cols -= static_cast<int>(2 * n_finishing);
      finish(sums);
      char* const kept = static_cast<char*>(static_cast<void*>(block.acc + c * kPanelRows));
      sums = {before, kept, static_cast<__mmask16>(sets ? 0 : 0xffff), kept, kSumBytes, n_cols};
      if (block.out != nullptr) {
        sums.to = static_cast<char*>(static_cast<void*>(block.out + c * ldo));
        sums.ld = ldo * int64_t{sizeof(float)};
      }
    }
  }
  take();
  finish(sums);
}

}  // namespace

void overlay_wide(WideKernels& wide) {
  wide.least_cols = 32;
  wide.fetching_cols = 256;
  wide.pack = pack;
  wide.pack_rests = pack_rests;
  wide.split[static_cast<int>(TypeIndex::kF16)] = split_F16;
  wide.has_rests[static_cast<int>(TypeIndex::kF16)] = true;
  wide.split[static_cast<int>(TypeIndex::kBF16)] = split_BF16;
  wide.expand[static_cast<int>(PanelKind::kScale32)] = expand_scale32;
  wide.expand[static_cast<int>(PanelKind::kScale32Min)] = expand_scale32_min;
  wide.expand[static_cast<int>(PanelKind::kScale16)] = expand_scale16;
  wide.expand[static_cast<int>(PanelKind::kScale16Min)] = expand_scale16_min;
  wide.multiply = multiply;
}

}  // namespace hearth::kernels::amx
