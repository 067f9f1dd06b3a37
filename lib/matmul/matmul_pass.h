// One pass of a matrix product: a bounded number of activation columns, quantised once and grouped for the
// kernels, over which row tiles of weights then run. All memory comes from MatmulScratch.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"
#include "lib/matmul/matmul.h"

namespace hearth {

/// One activation row and where its results go.
struct PassColumn {
  const float* x;
  int64_t out_row;
};

/// Up to kGroupCols columns that the kernels take together.
struct PassGroup {
  int first_col;  ///< in the pass
  int n_cols;
  int64_t offset;  ///< of its quantised activations in a chunk of columns of W
};

/// Columns that meet the same matrix: all of them, or those of one expert.
struct PassSegment {
  int expert;
  int first_group;
  int n_groups;
  int first_col;
  int n_cols;
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
  MatmulPass(const MatmulContext& ctx, int64_t cols);

  void clear();
  int capacity() const { return capacity_; }
  int n_columns() const { return n_columns_; }
  int n_segments() const { return n_segments_; }
  const PassSegment& segment(int i) const { return segments_[i]; }
  const PassColumn& column(int i) const { return columns_[i]; }

  /// Starts a segment; columns are added to the latest one.
  void begin_segment(int expert);
  void add_column(const float* x, int64_t out_row);
  /// Divides the segments into groups and, when `codes`, quantises every column.
  void pack(bool codes);

  /// Rows of a tile for matrices with rows of so many bytes: kPanelRows, or more when every segment has one column.
  int tile_rows(int64_t rows, int64_t row_bytes) const;
  /// acc[c * ld + r] = row r of the tile, scaled, times column c of the segment, ld = row_stride(tile). `next`: data of
  /// the tile that probably follows, to prefetch, or nullptr.
  void multiply(float* acc, const PassTile& tile, const std::byte* next, const PassSegment& segment, int worker) const;
  /// Floats between the columns of a result tile of so many rows.
  static int64_t row_stride(int n_rows);
  /// Result tile `which` (0 or 1) of a worker: [capacity][kPanelRows] floats.
  float* accumulator(int worker, int which) const;

 private:
  void make_groups();
  void pack_group(const PassGroup& group) const;
  kernels::ActGroup acts_of(const PassGroup& group, int64_t chunk) const;
  bool multiplies_floats(int type) const;
  void multiply_unscaled(float* acc, const PassTile& tile, const std::byte* next, const PassSegment& segment,
                         int worker) const;
  bool multiply_dots(float* acc, const PassTile& tile, const std::byte* next, const PassSegment& segment,
                     int type) const;
  bool multiply_float_column(float* acc, const PassTile& tile, const PassSegment& segment, int type,
                             float* panel) const;
  void multiply_expanded_column(float* acc, const kernels::WeightTile& rows, const float* x, int type,
                                float* values) const;
  void decode_floats(float* panel, const kernels::WeightTile& rows, int64_t n, int type) const;
  void multiply_panels(float* acc, kernels::WeightTile rows, const std::byte* next, const PassSegment& segment,
                       int type, float* panel) const;
  void multiply_float_group(float* acc, const void* panel, const PassGroup& group, int64_t k, int64_t n) const;

  const MatmulContext& ctx_;
  const kernels::KernelTable& kernels_;
  int64_t cols_;
  int capacity_;
  int n_columns_ = 0;
  int n_segments_ = 0;
  int n_groups_ = 0;
  int64_t chunk_stride_ = 0;  ///< bytes of all groups of one chunk
  PassColumn* columns_;
  PassSegment* segments_;
  PassGroup* groups_;
  std::byte* acts_;
  std::byte* workers_;
};

/// Threads of the context.
int threads_of(const MatmulContext& ctx);

/// Runs tasks on the pool of the context, or here when it has none.
void run_tasks(const MatmulContext& ctx, int n_tasks, TaskRef task);

}  // namespace hearth
