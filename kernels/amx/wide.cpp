// Products of many columns by the bfloat16 tiles. A is the activations as they come, B the weights (weights.cpp), whose
// values are rounded once: nothing is scaled between the sums, which stay in tiles for a chunk of the rows.
//
//   activations   [chunk][block of 32 columns][step of 32 elements][column][32]
//   panel         [block of 32 rows][step][2 groups of 16 rows][16 pairs of elements][16 rows][2]
//   sums          [block of 32 rows][column][32 rows]
//
// A block of columns stays in the first-level cache while panel and sums stream by (TILELOADDT1 keeps them from taking
// its place).
#include "kernels/amx/bfloat16.h"
#include "kernels/amx/overlay.h"

namespace hearth::kernels::amx {
namespace {

constexpr int kBlockCols = 2 * kTileRows;
constexpr int64_t kChunkSteps = kWideChunk / kTileDepth;

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

void pack_step(const WideActs& acts, int64_t step, int64_t first, int n, const float* x) {
  int64_t begin = 0;
  while (wide_chunk_end(begin, acts.k) <= step * kTileDepth) begin = wide_chunk_end(begin, acts.k);
  const Chunk chunk(acts, begin / kWideChunk);
  const int64_t s = step - begin / kTileDepth;
  for (int64_t at = first; at < first + n; ++at, x += kTileDepth) {
    const int64_t in_block = at % kBlockCols, c = at - in_block;
    _mm512_store_si512(chunk.block(c) + (s * cols_of_block(acts, c) + in_block) * 64,
                       nearest(_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16)));
  }
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

/// What is fetched into the second-level cache while a block is multiplied, some lines a step without a branch: the
/// next columns' activations and a share of the weights that will be decoded.
struct Ahead {
  const char* acts;
  int act_lines;  ///< a step, a multiple of 4
  const char* near;
  const char* weights = nullptr;
  int64_t row_bytes = 0, line = 0, bytes = 0;
  int n_rows = 0;

  /// Rows of weights while the block of columns `turn` of n_turns is multiplied.
  inline __attribute__((always_inline)) void take_weights(const WideNext& next, int64_t turn, int64_t n_turns) {
    line = 0;
    if (next.data == nullptr) return;
    const int64_t first = kPanelRows * turn / n_turns;
    weights = static_cast<const char*>(static_cast<const void*>(next.data)) + first * next.row_bytes;
    n_rows = static_cast<int>(kPanelRows * (turn + 1) / n_turns - first);
    row_bytes = next.row_bytes;
    bytes = next.bytes;
  }
  inline __attribute__((always_inline)) void fetch_weights() {
    const int64_t mask = line < bytes ? -1 : 0;  // behind the end a near line, again and again
    const char* at = near + ((weights + line - near) & mask);
    const int64_t stride = row_bytes & mask;
    line += 64;
    for (int r = 0; r < n_rows; r += 2, at += 2 * stride) {
      _mm_prefetch(at, _MM_HINT_T1);
      _mm_prefetch(at + stride, _MM_HINT_T1);
    }
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
  ahead.fetch_weights();
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
    const int first_rows = n_cols < kTileRows ? n_cols : kTileRows;
    const int second_rows = n_cols > kTileRows ? n_cols - kTileRows : 1;
    const int64_t second = n_cols > kTileRows ? kTileBytes : 0;
    tiles.shape(first_rows, second_rows);
    // Behind the last columns of a chunk the next chunk follows, and behind the last of these the next tile begins.
    // A block of activations has 32 lines for each step, and as many turns to come in time as there are blocks of rows.
    const bool ends = c + n_cols == acts.n_cols && wide_chunk_end(chunk * kWideChunk, acts.k) == acts.k;
    Ahead ahead = {ends ? static_cast<char*>(acts.x) : x.block(c + n_cols), n_blocks == kWideBlocks ? 4 : 8, before};
    for (int i = 0; i < n_blocks; ++i) {
      const char *b = static_cast<const char*>(panel) + i * x.n_steps * kStepBytes, *a = x.block(c);
      const WideBlock& block = blocks[i];
      ahead.take_weights(block.next, c / kBlockCols, n_turns);
      add_step<true, false>(b, a, second, before, sums, ahead);
      const int64_t n_finishing = sums.n_cols / 2 < x.n_steps ? sums.n_cols / 2 : x.n_steps - 1;
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
  wide.pack_step = pack_step;
  wide.pack_rests = pack_rests;
  wide.multiply = multiply;
}

}  // namespace hearth::kernels::amx
