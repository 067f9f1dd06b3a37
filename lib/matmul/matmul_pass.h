// One pass of a matrix product: a bounded number of tokens, quantized once and grouped for the kernels, over which row
// tiles of weights then run. All memory comes from MatmulScratch. The kernels call a token of a group a column.
#pragma once

#include <cstdint>

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
  int first_token;  ///< in the pass
  int n_tokens;
  int64_t offset;  ///< of its quantized activations in a chunk of k
};

/// Tokens that meet the same matrix: all of them, or those of one expert.
struct PassSegment {
  int expert;
  int first_group;
  int n_groups;
  int first_token;
  int n_tokens;
};

/// A row tile of one matrix.
struct PassTile {
  const Matrix* w;
  const std::byte* data;  ///< the tile's first row
  int64_t row;            ///< its index in the matrix
  int n_rows;
  float scale;  ///< of the matrix
};

class MatmulPass {
 public:
  /// For matrices with rows of k elements, which fit the context's scratch memory.
  MatmulPass(const MatmulContext& ctx, int64_t k);

  void clear();
  int capacity() const { return capacity_; }
  int n_tokens() const { return n_tokens_; }
  int n_segments() const { return n_segments_; }
  const PassSegment& segment(int i) const { return segments_[i]; }
  const PassToken& token(int i) const { return tokens_[i]; }

  /// Starts a segment; tokens are added to the latest one.
  void begin_segment(int expert);
  void add_token(const float* x, int64_t out_row);
  /// Divides the segments into groups and, when `codes`, quantizes every token.
  void pack(bool codes);

  /// Rows of a tile for matrices of this shape: kPanelRows, or more when every segment has one token.
  int tile_rows(int64_t rows, int64_t row_bytes) const;
  /// acc[t * ld + r] = row r of the tile, scaled, times token t of the segment, ld = row_stride(tile.n_rows).
  void multiply(float* acc, const PassTile& tile, const PassSegment& segment, int worker,
                const Prefetch& prefetch) const;
  /// acc[t] += rows of B times low[t], for the tokens of the segment that the update chooses: in cache, before the tile
  /// is stored.
  void add_update(float* acc, const PassTile& tile, const PassSegment& segment, int worker,
                  const LowRankUpdate& update) const;
  /// Floats between the tokens of a result tile of n_rows rows.
  static int64_t row_stride(int n_rows);
  /// Result tile `which` (0 or 1) of a worker: [capacity][kPanelRows] floats.
  float* accumulator(int worker, int which) const;

 private:
  void make_groups();
  void pack_group(const PassGroup& group) const;
  kernels::ActGroup acts_of(const PassGroup& group, int64_t chunk) const;
  bool multiplies_floats(int type) const;
  bool takes_dots(const PassSegment& segment, int type) const;
  void multiply_float_token(float* acc, const kernels::WeightTile& rows, const float* x, int type, float* panel) const;
  void decode_floats(float* panel, const kernels::WeightTile& rows, int64_t n, int type) const;
  void multiply_panels(float* acc, kernels::WeightTile rows, const PassSegment& segment, int type, float* panel,
                       Prefetch prefetch) const;
  void multiply_float_group(float* acc, const void* panel, const PassGroup& group, int64_t k, int64_t n) const;
  void add_update_group(float* acc, const void* panel, const PassGroup& group, const LowRankUpdate& update, int64_t k,
                        int64_t n) const;

  const MatmulContext& ctx_;
  const kernels::KernelTable& kernels_;
  int64_t k_;
  int capacity_;
  int n_tokens_ = 0;
  int n_segments_ = 0;
  int n_groups_ = 0;
  int64_t chunk_stride_ = 0;  ///< bytes of all groups of one chunk
  PassToken* tokens_;
  PassSegment* segments_;
  PassGroup* groups_;
  std::byte* acts_;
  /// By number of columns: where a group's planes would lie at the very beginning; q is null until a group needs it.
  kernels::ActGroup planes_[kernels::kGroupCols + 1] = {};
};

}  // namespace hearth
