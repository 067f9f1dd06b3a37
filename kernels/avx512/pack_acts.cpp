// Activations quantized to 8 bits per block of 32. A lane is a block: sixteen of them at once, of one column or
// several.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

constexpr int kPiece = 16;  // blocks at once

/// Lanes of a piece that hold columns of one block, which follow one another.
struct Run {
  int first, n;    ///< lanes
  int64_t at;      ///< block * n_cols + column
  int64_t before;  ///< block * n_cols
};

/// The blocks of a piece.
struct Piece {
  const float* x[kPiece];  ///< those from n on are the first again
  alignas(64) float largest[kPiece], unit[kPiece];
  Run runs[kPiece];
  int n = 0, n_runs = 0;
};

inline __attribute__((always_inline)) __m512 magnitudes(__m512 a, __m512 b) {  // not-a-number counts as larger
  return _mm512_castsi512_ps(
      _mm512_max_epi32(_mm512_castps_si512(_mm512_abs_ps(a)), _mm512_castps_si512(_mm512_abs_ps(b))));
}
inline __attribute__((always_inline)) __m512 larger(__m512 a, __m512 b) {  // of what magnitudes() gave
  return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

/// Lane i: the largest magnitude of block i.
inline __attribute__((always_inline)) __m512 largest_of_each(const float* const* x) {
  __m512 four[4];  // lane 4 L + j: of block 4 i + j, a quarter of it
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    __m512 each[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const float* block = x[4 * i + j];
      each[j] = magnitudes(_mm512_loadu_ps(block), _mm512_loadu_ps(block + 16));
    }
    const __m512 ab = larger(_mm512_unpacklo_ps(each[0], each[1]), _mm512_unpackhi_ps(each[0], each[1]));
    const __m512 cd = larger(_mm512_unpacklo_ps(each[2], each[3]), _mm512_unpackhi_ps(each[2], each[3]));
    four[i] = larger(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  }
  const __m512 low = larger(_mm512_shuffle_f32x4(four[0], four[1], 0x88), _mm512_shuffle_f32x4(four[0], four[1], 0xdd));
  const __m512 high =
      larger(_mm512_shuffle_f32x4(four[2], four[3], 0x88), _mm512_shuffle_f32x4(four[2], four[3], 0xdd));
  return larger(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));
}

/// to[e], lane i = elements e (low) and 16 + e (high) of block i, times its unit, as words. Not inlined, so that units
/// are broadcast from memory.
__attribute__((noinline)) void words_of_each(__m512i to[16], const float* const* x, const float* unit) {
  __m512i four[4][4];  // four[i][j], lane 4 L + m: element 4 L + j of block 4 i + m
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    __m512i each[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const float* block = x[4 * i + j];
      const __m512 scale = _mm512_set1_ps(unit[4 * i + j]);
      const __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(block), scale));
      const __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(block + 16), scale));
      each[j] = _mm512_mask_blend_epi16(0xaaaaaaaau, low, _mm512_slli_epi32(high, 16));
    }
    const __m512i a = _mm512_unpacklo_epi32(each[0], each[1]), b = _mm512_unpackhi_epi32(each[0], each[1]);
    const __m512i c = _mm512_unpacklo_epi32(each[2], each[3]), d = _mm512_unpackhi_epi32(each[2], each[3]);
    four[i][0] = _mm512_unpacklo_epi64(a, c);
    four[i][1] = _mm512_unpackhi_epi64(a, c);
    four[i][2] = _mm512_unpacklo_epi64(b, d);
    four[i][3] = _mm512_unpackhi_epi64(b, d);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(four[0][j], four[1][j], 0x44);  // lanes 0 and 1 of both
    const __m512i b = _mm512_shuffle_i32x4(four[0][j], four[1][j], 0xee);
    const __m512i c = _mm512_shuffle_i32x4(four[2][j], four[3][j], 0x44);
    const __m512i d = _mm512_shuffle_i32x4(four[2][j], four[3][j], 0xee);
    to[j] = _mm512_shuffle_i32x4(a, c, 0x88);
    to[4 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
    to[8 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
    to[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

/// Twice the number of steps to the largest magnitude that codes the 32 words of each block with the smallest squared
/// error, as a pair of words.
inline __attribute__((always_inline)) __m512i best_trials(const __m512i words[16]) {
  __m512i error[kActTrials];
#pragma GCC unroll 8
  for (int g = 0; g < kActTrials; ++g) error[g] = _mm512_set1_epi32(kActTrialBias[g]);
#pragma GCC unroll 1
  for (int e = 0; e < 16;
       ++e) {  // from one trial to the next by subtraction: of the multiplier's places there are fewer
    const __m512i fraction = _mm512_slli_epi16(words[e], 2);
    __m512i rest = _mm512_slli_epi16(words[e], 9);
#pragma GCC unroll 8
    for (int g = 0; g < kActTrials; ++g) {
#pragma GCC unroll 4
      for (int steps = g == 0 ? 128 : kActTrialSteps[g - 1]; steps > kActTrialSteps[g]; --steps) {
        rest = _mm512_sub_epi16(rest, fraction);
      }
      const __m512i kept = _mm512_srai_epi16(rest, kActRestShift);
      error[g] = _mm512_dpwssd_epi32(error[g], kept, kept);
    }
  }
  __m512 least[kActTrials];
  __m512i steps[kActTrials];
#pragma GCC unroll 8
  for (int g = 0; g < kActTrials; ++g) {
    least[g] = _mm512_mul_ps(_mm512_cvtepi32_ps(error[g]), _mm512_set1_ps(kActTrialArea[g]));
    steps[g] = _mm512_set1_epi16(static_cast<int16_t>(2 * kActTrialSteps[g]));
  }
#pragma GCC unroll 3
  for (int n = 1; n < kActTrials; n *= 2) {
#pragma GCC unroll 4
    for (int g = 0; g < kActTrials; g += 2 * n) {
      const __mmask16 less = _mm512_cmp_ps_mask(least[g + n], least[g], _CMP_LT_OQ);
      least[g] = _mm512_mask_mov_ps(least[g], less, least[g + n]);
      steps[g] = _mm512_mask_mov_epi32(steps[g], less, steps[g + n]);
    }
  }
  return steps[0];
}

/// Of four vectors of codes as pairs of words: those of the low words and those of the high ones, each in turn, as
/// bytes of their lane.
inline __attribute__((always_inline)) void bytes_of(__m512i* low, __m512i* high, const __m512i codes[4]) {
  const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15));
  const __m512i first = _mm512_shuffle_epi8(_mm512_packs_epi16(codes[0], codes[1]), order);
  const __m512i second = _mm512_shuffle_epi8(_mm512_packs_epi16(codes[2], codes[3]), order);
  *low = _mm512_unpacklo_epi16(first, second);
  *high = _mm512_unpackhi_epi16(first, second);
}

/// What a piece's blocks are measured by.
__attribute__((noinline)) void measure_piece(Piece& piece) {
  for (int i = piece.n; i < kPiece; ++i) piece.x[i] = piece.x[0];
  const __m512 largest = largest_of_each(piece.x);
  const __mmask16 counts = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(kActSmallest), _CMP_NLT_UQ);
  _mm512_store_ps(piece.largest, largest);
  _mm512_store_ps(piece.unit, _mm512_maskz_div_ps(counts, _mm512_set1_ps(kActUnit), largest));
}

__attribute__((noinline)) void pack_piece(const ActGroup& memory, Piece& piece) {
  __m512i words[16];
  words_of_each(words, piece.x, piece.unit);
  const __m512i steps = best_trials(words);

  // Sums of word * code and of code * code, of every other four elements.
  __m512i products[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  __m512i squares[2] = {products[0], products[0]}, sum[2] = {products[0], products[0]}, bytes[8];
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    __m512i codes[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      codes[i] = _mm512_mulhrs_epi16(words[4 * s + i], steps);
      products[s % 2] = _mm512_dpwssd_epi32(products[s % 2], words[4 * s + i], codes[i]);
      squares[s % 2] = _mm512_dpwssd_epi32(squares[s % 2], codes[i], codes[i]);
    }
    bytes_of(&bytes[s], &bytes[4 + s], codes);
    sum[0] = _mm512_dpbusd_epi32(sum[0], _mm512_set1_epi8(1), bytes[s]);
    sum[1] = _mm512_dpbusd_epi32(sum[1], _mm512_set1_epi8(1), bytes[4 + s]);
  }
  // Least squares: d q is nearest to x. What is not finite gives not-a-number.
  const __m512 largest = _mm512_load_ps(piece.largest);
  const __m512 product = _mm512_cvtepi32_ps(_mm512_add_epi32(products[0], products[1]));
  const __m512 square = _mm512_cvtepi32_ps(_mm512_add_epi32(squares[0], squares[1]));
  const __m512 fitted = _mm512_mul_ps(_mm512_div_ps(product, square), _mm512_div_ps(largest, _mm512_set1_ps(kActUnit)));
  const __mmask16 counts = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(kActSmallest), _CMP_NLT_UQ);
  const __m512 d = _mm512_maskz_add_ps(counts, fitted, _mm512_sub_ps(largest, largest));

  static_assert(kCodeOffset == 128);
  const __m512i magic = _mm512_set1_epi32(kMagicBits), whole = _mm512_add_epi32(sum[0], sum[1]);
  const ActGroup group = memory;  // what is stored could be part of it
  const int64_t n_cols = group.n_cols;
  const __m512 sum32 = _mm512_mul_ps(d, _mm512_cvtepi32_ps(whole));
  const __m512 init32 = _mm512_castsi512_ps(_mm512_sub_epi32(magic, _mm512_slli_epi32(whole, 7)));
  __m512 sum16[2], init16[2];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    sum16[half] = _mm512_mul_ps(d, _mm512_cvtepi32_ps(sum[half]));
    init16[half] = _mm512_castsi512_ps(_mm512_sub_epi32(magic, _mm512_slli_epi32(sum[half], 7)));
  }
  for (int r = 0; r < piece.n_runs; ++r) {
    const Run run = piece.runs[r];
    const auto lanes = static_cast<__mmask16>(((1u << run.n) - 1u) << run.first);
    const auto put = [lanes, first = uintptr_t{4} * run.first](void* to, __m512 v) {  // to: where the first lane goes
      _mm512_mask_storeu_ps(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(to) - first), lanes, v);
    };
    const int64_t half_at = run.at + run.before;
    int8_t* q = group.q + (run.at + 7 * run.before) * 4;
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) put(q + s * n_cols * 4, _mm512_castsi512_ps(bytes[s]));
    put(group.d + run.at, d);
    put(group.sum32 + run.at, sum32);
    put(group.init32 + run.at, init32);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      put(group.sum16 + half_at + half * n_cols, sum16[half]);
      put(group.init16 + half_at + half * n_cols, init16[half]);
    }
  }
}

/// Takes the blocks of a group in pieces. One is measured before its predecessor is coded, which takes time that the
/// measuring's long chain of operations would let pass.
class Pieces {
 public:
  explicit Pieces(const ActGroup& group) : group_(group) {}

  /// Columns c, c + 1, ... of block b.
  inline __attribute__((always_inline)) void add(int64_t b, int c, int n_columns, const float* const* columns) {
    while (n_columns > 0) {
      Piece& piece = pieces_[at_];
      const int room = kPiece - piece.n, n = n_columns < room ? n_columns : room;
      piece.runs[piece.n_runs++] = {piece.n, n, b * group_.n_cols + c, b * group_.n_cols};
      for (int i = 0; i < n; ++i) piece.x[piece.n + i] = columns[i] + b * kActBlock;
      piece.n += n;
      if (piece.n == kPiece) next();
      c += n;
      columns += n;
      n_columns -= n;
    }
  }
  void end() {
    next();
    next();
  }

 private:
  void next() {
    if (pieces_[at_].n > 0) measure_piece(pieces_[at_]);
    at_ ^= 1;
    Piece& earlier = pieces_[at_];
    if (earlier.n > 0) pack_piece(group_, earlier);
    earlier.n = earlier.n_runs = 0;
  }

  const ActGroup& group_;
  Piece pieces_[2];
  int at_ = 0;
};

/// The sums of superblocks of nb blocks as words in pairs, and what a unit of them is worth; a lane is a column.
void pack_superblocks(const ActGroup& group, int first, int n, int64_t nb) {
  const int64_t n_cols = group.n_cols;
  const auto columns = static_cast<__mmask16>((1u << n) - 1u);
  for (int64_t super = 0; 8 * super < nb; ++super) {
    __m512 sum[8], largest = _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const int64_t b = 8 * super + i;
      sum[i] = _mm512_maskz_loadu_ps((b < nb) ? columns : __mmask16{0}, group.sum32 + b * n_cols + first);
      largest = _mm512_max_ps(_mm512_abs_ps(sum[i]), largest);
    }
    const __mmask16 counts = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(1e-30f), _CMP_GE_OQ);
    const __m512 inverse = _mm512_maskz_div_ps(counts, _mm512_set1_ps(32767.0f), largest);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512i even = _mm512_cvtps_epi32(_mm512_mul_ps(sum[2 * i], inverse));
      const __m512i odd = _mm512_cvtps_epi32(_mm512_mul_ps(sum[2 * i + 1], inverse));
      const __m512i pairs = _mm512_mask_blend_epi16(0xaaaaaaaau, even, _mm512_slli_epi32(odd, 16));
      _mm512_mask_storeu_ps(group.sum256 + (super * 4 + i) * n_cols + first, columns, _mm512_castsi512_ps(pairs));
    }
    _mm512_mask_storeu_ps(group.d256 + super * n_cols + first, columns,
                          _mm512_mul_ps(largest, _mm512_set1_ps(1.0f / 32767.0f)));
  }
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t nb = k / kActBlock;
  Pieces pieces(group);
  for (int64_t b = 0; b < nb; ++b) pieces.add(b, c, 1, &x);
  pieces.end();
  pack_superblocks(group, c, 1, nb);
}

void pack_group(const ActGroup& group, const float* const* x, int64_t k) {
  const int64_t nb = k / kActBlock;
  Pieces pieces(group);
  for (int64_t b = 0; b < nb; ++b) pieces.add(b, 0, group.n_cols, x);
  pieces.end();
  pack_superblocks(group, 0, group.n_cols, nb);
}

}  // namespace hearth::kernels::avx512
