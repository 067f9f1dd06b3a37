// One pass of a matrix product: a bounded number of tokens, quantized once and grouped for the kernels, over which row
// tiles of weights then run. All memory comes from MatmulScratch. The kernels call a token of a group a column.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"
#include "lib/matmul/matmul.h"
#include "lib/matmul/prefetch.h"

namespace hearth {

/// One row of activations and where its results go.
struct PassToken {
  const float* x;
  int64_t out_row;
};

/// Up to kGroupCols tokens that the kernels take together.
struct PassGroup {
  int segment;
  int first_token;  ///< in the pass
  int n_tokens;
  int64_t offset;  ///< of its quantized activations in a chunk of k
  bool is_packed;  ///< they are those of the group before: one token that several experts take
};

/// Tokens that meet the same matrix: all of them, or those of one expert.
struct PassSegment {
  int expert;
  int first_group;
  int n_groups;
  int first_token;
  int n_tokens;
  bool wide;             ///< codes and 16-bit floats are multiplied by WideKernels
  int64_t wide_offset;   ///< of its activations for those
  int64_t rests_offset;  ///< of what bfloat16 leaves of them, where weights want it
};

/// A row tile of one matrix.
struct PassTile {
  const Matrix* w;
  const std::byte* data;  ///< the tile's first row
  int64_t row;            ///< its index in the matrix
  int n_rows;
  float scale;  ///< of the matrix
};

/// Where the tile's first row of the segment's first token belongs, and the other tokens' ldo floats further each.
struct DirectOutput {
  float* out = nullptr;
  int64_t ldo = 0;
};

/// What the weights of a pass meet besides floats.
struct PackedForms {
  bool codes = false;
  bool halves = false;  ///< both parts of activations, for 16-bit floats in wide products
};

class MatmulPass {
 public:
  /// For matrices with rows of k elements, which fit the context's scratch memory. n_together: tiles that a worker has
  /// in its accumulators at once, 1 or 2.
  MatmulPass(const MatmulContext& ctx, int64_t k, int n_together = 1);

  /// Whether memory is set aside for wide products of up to `capacity` tokens: where some set that this machine runs
  /// has them, whichever is active now, as another may be by the time they are used.
  static bool may_take_wide(int64_t capacity);

  void clear();
  int capacity() const { return capacity_; }
  int n_tokens() const { return n_tokens_; }
  int n_segments() const { return n_segments_; }
  const PassSegment& segment(int i) const { return segments_[i]; }
  const PassToken& token(int i) const { return tokens_[i]; }

  /// Starts a segment; tokens are added to the latest one.
  void begin_segment(int expert);
  void add_token(const float* x, int64_t out_row);
  /// Divides the segments into groups and brings every token into these forms.
  void pack(PackedForms forms);
  /// Instead of pack(): the only segment's tokens, for which takes_wide() is true, lie here as kernels::WideActs.
  void adopt(void* wide);
  /// Whether a segment of n_tokens is multiplied by WideKernels, where weights do.
  bool takes_wide(int64_t n_tokens) const;

  /// Rows of a tile for matrices of this shape: kPanelRows, or more when every segment has one token, or one has many.
  int tile_rows(int64_t rows, int64_t row_bytes) const;
  /// acc[at(r, n, t)] = row r of the tile, scaled, times token t of the segment's n: every kPanelRows rows lie by
  /// themselves, [token][kPanelRows]. Where `direct` says where they belong, true when they are there instead.
  bool multiply(float* acc, const PassTile& tile, const PassSegment& segment, int worker, const Prefetch& prefetch,
                const DirectOutput& direct = {}) const;
  /// The same of two tiles of one shape, whose results lie at a and b; next_a is what will be read after them.
  void multiply_both(float* a, const PassTile& tile_a, float* b, const PassTile& tile_b, const PassSegment& segment,
                     int worker, const std::byte* next_a) const;
  /// acc[t] += rows of B times low[t], for the tokens of the segment that the update chooses: in cache, before the tile
  /// is stored.
  void add_update(float* acc, const PassTile& tile, const PassSegment& segment, int worker,
                  const LowRankUpdate& update) const;
  /// Where a result tile of n_tokens tokens has row r of token t.
  static int64_t at(int row, int n_tokens, int t) {
    const int in_panel = row % kernels::kPanelRows;
    return (int64_t{row - in_panel}) * n_tokens + int64_t{t} * kernels::kPanelRows + in_panel;
  }
  /// Floats from a result tile's first to its last.
  static int64_t extent(int n_rows, int n_tokens) { return at(n_rows - 1, n_tokens, n_tokens - 1) + 1; }
  /// Result tile `which` (0 or 1) of a worker.
  float* accumulator(int worker, int which) const;

 private:
  int wide_tile_rows(int64_t rows) const;  ///< the wider, the less often activations are read
  void make_groups();
  /// Elements [begin, end) of each token; begin is where a chunk does.
  void pack_group(const PassGroup& group, int64_t begin, int64_t end) const;
  kernels::ActGroup acts_of(const PassGroup& group, int64_t chunk) const;
  kernels::WideActs wide_acts_of(const PassSegment& segment) const;
  kernels::WideActs rests_of(const PassSegment& segment) const;
  bool multiplies_floats(int type) const;
  bool splits(int type) const { return kernels_.matmul.wide.split[type] != nullptr; }
  bool takes_dots(const PassSegment& segment, int type) const;
  void multiply_float_token(float* acc, const kernels::WeightTile& rows, const float* x, int type, float* panel) const;
  void decode_floats(float* panel, const kernels::WeightTile& rows, int64_t n, int type) const;
  void multiply_panels(float* acc, kernels::WeightTile rows, const PassSegment& segment, int type, float* panel,
                       Prefetch prefetch) const;
  struct WidePart;
  struct WideRows;
  WideRows wide_rows(const WidePart& part, int row, int64_t k) const;
  void widen(std::byte* block, std::byte* panel, const WidePart& part, const WideRows& rows, bool fetched) const;
  void multiply_wide(std::span<const WidePart> parts, const PassSegment& segment, int worker) const;
  void multiply_split(const WidePart& part, const PassSegment& segment, int worker) const;
  void multiply_float_group(float* acc, const void* panel, const PassGroup& group, int64_t k, int64_t n) const;
  void add_update_group(float* acc, const void* panel, const PassGroup& group, const LowRankUpdate& update, int64_t k,
                        int64_t n) const;

  const MatmulContext& ctx_;
  const kernels::KernelTable& kernels_;
  int64_t k_;
  int wide_tile_rows_;  ///< most rows of a tile for wide products
  int capacity_;
  int n_tokens_ = 0;
  int n_segments_ = 0;
  int n_groups_ = 0;
  int n_wide_ = 0;       ///< segments
  int most_tokens_ = 0;  ///< of a segment
  PackedForms forms_;
  int64_t chunk_stride_ = 0;  ///< bytes of all groups of one chunk
  PassToken* tokens_;
  PassSegment* segments_;
  PassGroup* groups_;
  std::byte* acts_;
  /// By number of columns: where a group's planes would lie at the very beginning; q is null until a group needs it.
  kernels::ActGroup planes_[kernels::kGroupCols + 1] = {};
};

/// A tile that the tokens of a segment meet together with others.
struct MatmulPass::WidePart {
  float* acc;
  const PassTile* tile;
  const std::byte* next_tile;  ///< what will be read after it; nullptr: not known
  DirectOutput direct;
};

}  // namespace hearth
