// The matrix-product part of the kernel table. A product y = x W^T runs over tiles of kPanelRows rows of W: the
// tile is decoded, a chunk of columns at a time, into a panel (SIMD lane = row) that stays in cache, and groups
// of activation columns pass over it. The same loop serves one column and thousands, so that its
// results do not depend on the columns beside. (Which path a number of columns takes, with a panel or without, is the
// choice of lib/matmul/matmul.cpp, which drives it.)
//
// How an instruction set overlays: `decode[type]`, `put_block`, `multiply[kind]` and `pack_acts` share private layouts
// (codes in the panel, the `init` and 256 planes of ActGroup), so a set replaces all of them together. It has decoders
// of its own for the types that are worth it; the others go through unpack and put_block. A decoder that handles
// all rows in step is written for the set's registers; of the other types x86/row_codes.h describes a row, for all
// sets at once. ActGroup's other planes have the layout stated here on every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::kernels {

/// Activations are quantized in blocks of this number of elements, each with its own scale; also the unit of panels.
inline constexpr int kActBlock = 32;
/// Its 32 values are first rounded to words that its largest magnitude is kActUnit of. pack_acts tries several trial
/// scales: the largest magnitude as 127 steps, or as a few less. All are whole numbers, so that the largest value of a
/// block is exact under each of them (2% less error power than with fractions); the last lies further off, for blocks
/// in which few values are large. The one with the smallest squared error stays, and the scale is then fitted to the
/// codes by least squares: a fifth less error power than rounding to the first. What is summed is integers, so every
/// instruction set gives the same codes and the same scale.
inline constexpr float kActUnit = 16384.0f;
inline constexpr int kActTrials = 8;
alignas(16) static constexpr int16_t kActTrialSteps[kActTrials] = {127, 126, 125, 124, 123, 122, 121, 119};
/// A word u is coded as (u * steps + 2^13) >> 14; the low 16 bits of 4 * steps * u are what that leaves, in units of
/// 2^-16 steps. Without their last bits the squares of 32 of them have a sum of at most 2^29.
inline constexpr int kActRestShift = 3;
/// Added to the sums of squares: a block that several fit exactly is coded by the first.
alignas(32) static constexpr int32_t kActTrialBias[kActTrials] = {-(1 << 16)};
/// What they are multiplied by then, the square of a step relative to that of the first:
constexpr float act_trial_area(float steps) {
  return (127.0f / steps) * (127.0f / steps);
}
alignas(32) static constexpr float kActTrialArea[kActTrials] = {
    act_trial_area(127.0f), act_trial_area(126.0f), act_trial_area(125.0f), act_trial_area(124.0f),
    act_trial_area(123.0f), act_trial_area(122.0f), act_trial_area(121.0f), act_trial_area(119.0f)};
/// Blocks whose largest magnitude is below this count as zero: their quotients could overflow.
inline constexpr float kActSmallest = 1e-30f;
/// Rows of W in one panel.
inline constexpr int kPanelRows = 32;
/// Most rows of a tile for dot_columns and dot_rows.
inline constexpr int kDotRows = 128;
/// Most columns for dot_columns on sets of 16 registers or of 128 bits; with more up to kGroupCols.
inline constexpr int kDotCols = 3;
/// Most columns of one group of activations.
inline constexpr int kGroupCols = 6;
/// Size of the arrays by type; at least kTypeCount.
inline constexpr int kMaxTypes = 48;
/// Blocks of 32 columns of W in one panel (a multiple of 8: superblocks are never divided).
inline constexpr int kPanelBlocks = 16;

/// How the values of a type are made of integer codes; chooses the multiplication loop.
enum class PanelKind : uint8_t {
  kFloat,       ///< floats
  kScale32,     ///< scale * code, a scale per 32
  kScale32Min,  ///< scale * code - min, both per 32
  kScale16,     ///< scale * code, a scale per 16
  kScale16Min,  ///< scale * code - min, both per 16
  kCount
};
inline constexpr int kPanelKinds = static_cast<int>(PanelKind::kCount);

/// What unpack makes of n elements: value[i] = scale[i / 16] * code[i] - min[i / 16], in that order of float
/// operations, is the value that the format defines, bit-exactly.
struct Unpacked {
  int8_t* code;  ///< [n]
  float* scale;  ///< [n / 16], at most 22 significant bits (a half times an integer): sums are scaled exactly by them
  float* min;    ///< [n / 16]; all zero for kinds without minimum
};

/// Up to kGroupCols columns (rows of x) quantized to 8 bits and interleaved, nb blocks of 32 each.
/// x[32 b + i] of column c ~ d[b][c] * q. Planes lie one after the other, each 64-byte aligned.
struct ActGroup {
  int n_cols;
  int8_t* q;        ///< [nb][8][n_cols][4] codes -127..127
  float* d;         ///< [nb][n_cols]
  float* sum16;     ///< [nb][2][n_cols] d * (sum of 16 codes)
  float* sum32;     ///< [nb][n_cols] d * (sum of 32 codes)
  int32_t* init16;  ///< [nb][2][n_cols] first value of an integer accumulator; private to the instruction set
  int32_t* init32;  ///< [nb][n_cols]
  /// sum32 of superblocks of eight blocks as words in pairs (block 2i low, 2i + 1 high), and what a unit of them is
  /// worth: [nb / 8, rounded up][4][n_cols] and [..][n_cols]. Only for instruction sets whose loops want them.
  int32_t* sum256;
  float* d256;
  /// What multiply prefetches: with each block the next ahead_bytes (a multiple of 64; 0: nothing) from `ahead` on, any
  /// address, into the first-level cache, or the second when ahead_far.
  const void* ahead = nullptr;
  int32_t ahead_bytes = 0;
  bool ahead_far = false;
};

static inline int64_t round_up_64(int64_t bytes) {
  return (bytes + 63) & ~int64_t{63};
}

/// Bytes of one group of n_cols columns of k elements.
static inline int64_t act_group_bytes(int64_t k, int n_cols) {
  const int64_t nb = k / kActBlock;
  const int64_t n_super = (nb + 7) / 8;
  return round_up_64(k * n_cols) + 3 * round_up_64(nb * n_cols * 4) + 2 * round_up_64(nb * n_cols * 8) +
         round_up_64(n_super * n_cols * 16) + round_up_64(n_super * n_cols * 4);
}

/// The group whose planes start at memory (64-byte aligned, act_group_bytes() long).
static inline ActGroup act_group_at(void* memory, int64_t k, int n_cols) {
  const int64_t nb = k / kActBlock;
  char* p = static_cast<char*>(memory);
  ActGroup group;
  group.n_cols = n_cols;
  group.q = reinterpret_cast<int8_t*>(p);
  p += round_up_64(k * n_cols);
  group.d = static_cast<float*>(static_cast<void*>(p));
  p += round_up_64(nb * n_cols * 4);
  group.sum256 = static_cast<int32_t*>(static_cast<void*>(p));
  p += round_up_64((nb + 7) / 8 * n_cols * 16);
  group.d256 = static_cast<float*>(static_cast<void*>(p));
  p += round_up_64((nb + 7) / 8 * n_cols * 4);
  group.sum32 = static_cast<float*>(static_cast<void*>(p));
  p += round_up_64(nb * n_cols * 4);
  group.init32 = static_cast<int32_t*>(static_cast<void*>(p));
  p += round_up_64(nb * n_cols * 4);
  group.sum16 = static_cast<float*>(static_cast<void*>(p));
  p += round_up_64(nb * n_cols * 8);
  group.init16 = static_cast<int32_t*>(static_cast<void*>(p));
  return group;
}

/// Bytes of scratch for any panel (64-byte aligned): codes or floats of kPanelRows x kPanelBlocks * 32, and for
/// codes up to four floats per row and 16 columns.
inline constexpr int64_t kPanelBytes = int64_t{kPanelRows} * kPanelBlocks * kActBlock * 4;

/// A tile of a weight matrix, from some column on. Nothing beyond the n_rows rows' own bytes may be read.
struct WeightTile {
  const void* data;   ///< first row, at the column where the panel starts; any alignment
  int64_t row_bytes;  ///< from row to row
  int n_rows;  ///< 1..kPanelRows (dot_columns: kDotRows); lanes beyond repeat some row, and their results are ignored
  /// What to prefetch meanwhile: byte i of row r of the next panel is at ahead + r * ahead_stride + i; for dot_columns,
  /// the first byte of the next tile. Any address; nullptr: nothing.
  const void* ahead = nullptr;
  int64_t ahead_stride = 0;
  /// The panel will meet enough activation columns for a form which takes longer to decode to pay. Changes no result.
  bool many_columns = false;
  /// Not 0: so many bytes from `ahead` on are prefetched instead, spread over the decoding, into the second-level
  /// cache.
  int64_t ahead_bytes = 0;
};

/// Elements of a column that wide products take at once.
inline constexpr int kWideStep = 32;
/// Elements of a row that pass through a wide panel at once (a multiple of 256: superblocks are never divided).
inline constexpr int kWideChunk = 512;
/// Blocks of kPanelRows rows of a wide panel: the more, the less often activations are read.
inline constexpr int kWideBlocks = 8;
/// The last chunk takes up to this number of elements more: sums are not kept and taken up again for so few.
inline constexpr int kWideTail = 64;
/// Where the chunk of a row of k elements ends that begins at `begin`.
inline constexpr int64_t wide_chunk_end(int64_t begin, int64_t k) {
  return k - begin <= kWideChunk + kWideTail ? k : begin + kWideChunk;
}
/// Bytes of a wide panel in bfloat16.
inline constexpr int64_t kWidePanelBytes = int64_t{kWideBlocks} * kPanelRows * (kWideChunk + kWideTail) * 2;

/// Columns (rows of x) for wide products: n_cols x k bfloat16 in an order private to the instruction set, by chunks of
/// kWideChunk elements, the last perhaps longer; 64-byte aligned. k is a multiple of kWideStep.
struct WideActs {
  void* x;
  int64_t n_cols;
  int64_t k;
};

/// Weights that will be decoded next: `bytes` of each of kPanelRows rows, which are fetched meanwhile.
struct WideNext {
  const std::byte* data;  ///< any address; nullptr: nothing is known
  int64_t row_bytes;
  int64_t bytes;
};

/// Where the results of a block of rows belong.
struct WideBlock {
  float* acc;  ///< [n_cols][kPanelRows], between the chunks
  float* out;  ///< where given, row i for column c goes to out[c * ldo + i] instead
  WideNext next = {};
};

/// Products of many columns at once in bfloat16, for processors that multiply matrices. Weights of codes, scaled, are
/// rounded to it once and activations as well: the error power is a quarter of that of 8-bit activations. Weights that
/// are floats of 16 bits and their activations are sums of two numbers each, the nearest one in bfloat16 and that
/// nearest to the rest; products lose a 2^15th part at most. The result for a column does not depend on the others.
struct WideKernels {
  /// From this number of columns on faster than panels of codes; 0: there are none.
  int least_cols;
  /// From this number of columns on multiply() has the time to fetch what WideNext names.
  int fetching_cols;
  /// Columns [first, first + n) from their floats, x[i] that of column first + i.
  void (*pack)(const WideActs& acts, int64_t first, int n, const float* const* x);
  /// Elements [32 step, 32 step + 32) of columns [first, first + n), those of column first + i at x + 32 i.
  void (*pack_step)(const WideActs& acts, int64_t step, int64_t first, int n, const float* x);
  /// The same as pack of the rests.
  void (*pack_rests)(const WideActs& acts, int64_t first, int n, const float* const* x);
  /// A block of kPanelRows rows of a wide panel from a panel of codes of that kind (as decode[type] of the set makes
  /// it): n elements, of which that has kWideChunk at most.
  void (*expand[kPanelKinds])(void* block, const void* panel, int64_t n);
  /// The same from n elements of a tile, for types that need no panel of codes between; nullptr for others.
  void (*widen[kMaxTypes])(void* block, const WeightTile& tile, int64_t n);
  /// The same from n elements of a tile of floats, and a block of the rests; nullptr for types that are not taken.
  void (*split[kMaxTypes])(void* block, void* rests, const WeightTile& tile, int64_t n);
  /// Whether that type has rests; split() does not touch them otherwise.
  bool has_rests[kMaxTypes];
  /// blocks[b].acc[c * kPanelRows + r] (+)= sum over chunk `chunk` of row r of block b times column c; sets when
  /// `sets`, else adds. Blocks of the panel, at most kWideBlocks, follow one another.
  void (*multiply)(const WideBlock* blocks, int n_blocks, const void* panel, const WideActs& acts, int64_t chunk,
                   int64_t ldo, bool sets);
};

struct MatmulKernels {
  /// Decodes n columns (n <= kPanelBlocks * 32, a multiple of 32 for integer codes, any for floats) of a tile.
  void (*decode[kMaxTypes])(void* panel, const WeightTile& tile, int64_t n);
  /// acc[c * kPanelRows + r] (+)= sum over nb blocks of panel row r times column c; sets when `first`, else adds.
  void (*multiply[kPanelKinds])(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
  /// The same for float panels: x[c] is column c at the panel's first element, n elements, n_cols <= kGroupCols.
  void (*multiply_floats)(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first);
  /// Quantizes x[0..k) as column c of the group. k is a multiple of 32.
  void (*pack_acts)(const ActGroup& group, int c, const float* x, int64_t k);
  /// The same for all columns, x[n_cols], at once and to the same bits; nullptr: no faster than one by one.
  void (*pack_group)(const ActGroup& group, const float* const* x, int64_t k) = nullptr;
  /// out[c * ldo + r] = row r of a tile times packed column c of k elements, for up to dot_most_cols[type] columns,
  /// without a panel; bit for bit what decode and multiply give. acts: ActGroups of n_cols columns and kPanelBlocks
  /// blocks, `stride` bytes apart. nullptr where there is none, and for float types.
  void (*dot_columns[kMaxTypes])(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride,
                                 int64_t k, int n_cols);
  /// Up to this number of columns (at most kGroupCols) products go through dot_columns, which is faster than panels or
  /// about as fast; 0 where there is none.
  int dot_most_cols[kMaxTypes];
  /// out[r] = row r times x[0..n): one column of a float type at the memory's speed; nullptr for integer codes.
  void (*dot_rows[kMaxTypes])(float* out, const WeightTile& tile, const float* x, int64_t n);
  /// Puts 32 unpacked elements of row `row` into a panel of this instruction set, as those of its block `block`: by
  /// this alone a set serves every type that it has no decoder for (reference/generic_decode.h).
  void (*put_block)(void* panel, PanelKind kind, int64_t block, int row, const Unpacked& values);
  WideKernels wide;
};

}  // namespace hearth::kernels
