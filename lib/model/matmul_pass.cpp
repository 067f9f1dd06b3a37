// One pass of a matrix product: scratch layout, grouping, quantisation, and a row tile times all columns.
#include "lib/model/matmul_pass.h"

#include <algorithm>

namespace hearth {
namespace {

using kernels::kPanelRows;

/// Most columns of a pass: beyond it the tile is decoded again, which costs about 2% of the product.
constexpr int64_t kMaxColumns = 512;
/// Fewest that scratch has room for, so that one token's experts share a pass.
constexpr int64_t kMinColumns = 16;
/// Elements quantised by one thread before it pays to wake the others (a fork-join is some microseconds).
constexpr int64_t kSerialPack = 32768;

int64_t columns_for(int64_t max_tokens) {
  return std::clamp(max_tokens, kMinColumns, kMaxColumns);
}

int64_t round_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Offsets in scratch memory, each 64-byte aligned.
struct ScratchLayout {
  int64_t columns = 0;
  int64_t segments, groups, acts, workers, total;
  int64_t accumulator_bytes, worker_bytes;
};

ScratchLayout layout_of(int64_t max_tokens, int64_t max_cols, int n_threads) {
  const int64_t capacity = columns_for(max_tokens);
  ScratchLayout s;
  s.segments = round_up(capacity * static_cast<int64_t>(sizeof(PassColumn)), 64);
  s.groups = s.segments + round_up(capacity * static_cast<int64_t>(sizeof(PassSegment)), 64);
  s.acts = s.groups + round_up(capacity * static_cast<int64_t>(sizeof(PassGroup)), 64);
  s.workers = s.acts + capacity * kernels::act_group_bytes(round_up(max_cols, kernels::kActBlock), 1);
  s.accumulator_bytes = capacity * kPanelRows * static_cast<int64_t>(sizeof(float));
  s.worker_bytes = kernels::kPanelBytes + 2 * s.accumulator_bytes;
  s.total = s.workers + n_threads * s.worker_bytes;
  return s;
}

template <typename T>
T* at(std::byte* memory, int64_t offset) {
  return static_cast<T*>(static_cast<void*>(memory + offset));
}

}  // namespace

uint64_t MatmulScratch::bytes_needed(int64_t max_tokens, int64_t max_cols, int n_threads) {
  return static_cast<uint64_t>(layout_of(max_tokens, max_cols, n_threads).total);
}

void MatmulScratch::bind(std::byte* memory, int64_t max_tokens, int64_t max_cols, int n_threads) {
  memory_ = memory;
  max_tokens_ = max_tokens;
  max_cols_ = max_cols;
  n_threads_ = n_threads;
}

void run_tasks(const MatmulContext& ctx, int n_tasks, TaskRef task) {
  if (ctx.parallel != nullptr && n_tasks > 1) {
    ctx.parallel->run(n_tasks, task);
    return;
  }
  for (int i = 0; i < n_tasks; ++i) task(i, 0);
}

MatmulPass::MatmulPass(const MatmulContext& ctx, int64_t cols) : ctx_(ctx), kernels_(kernels::kernels()), cols_(cols) {
  const MatmulScratch& scratch = *ctx.scratch;
  const ScratchLayout s = layout_of(scratch.max_tokens_, scratch.max_cols_, scratch.n_threads_);
  capacity_ = static_cast<int>(columns_for(scratch.max_tokens_));
  columns_ = at<PassColumn>(scratch.memory_, s.columns);
  segments_ = at<PassSegment>(scratch.memory_, s.segments);
  groups_ = at<PassGroup>(scratch.memory_, s.groups);
  acts_ = scratch.memory_ + s.acts;
  workers_ = scratch.memory_ + s.workers;
}

void MatmulPass::clear() {
  n_columns_ = 0;
  n_segments_ = 0;
  n_groups_ = 0;
}

void MatmulPass::begin_segment(int expert) {
  segments_[n_segments_++] = {expert, 0, 0, n_columns_, 0};
}

void MatmulPass::add_column(const float* x, int64_t out_row) {
  columns_[n_columns_++] = {x, out_row};
  ++segments_[n_segments_ - 1].n_cols;
}

void MatmulPass::make_groups() {
  std::byte* memory = acts_;
  for (int i = 0; i < n_segments_; ++i) {
    PassSegment& segment = segments_[i];
    segment.first_group = n_groups_;
    segment.n_groups = (segment.n_cols + kernels::kGroupCols - 1) / kernels::kGroupCols;
    int col = segment.first_col;
    for (int g = 0; g < segment.n_groups; ++g) {  // groups of equal size, or one less
      const int left = segment.first_col + segment.n_cols - col;
      const int n = (left + segment.n_groups - g - 1) / (segment.n_groups - g);
      groups_[n_groups_++] = {col, n, kernels::act_group_at(memory, cols_, n)};
      memory += kernels::act_group_bytes(cols_, n);
      col += n;
    }
  }
}

void MatmulPass::pack(bool codes) {
  make_groups();
  if (!codes) return;
  auto pack_group = [this](int g, int) {
    const PassGroup& group = groups_[g];
    for (int c = 0; c < group.n_cols; ++c) {
      kernels_.matmul.pack_acts(group.acts, c, columns_[group.first_col + c].x, cols_);
    }
  };
  if (n_columns_ * cols_ >= kSerialPack) {
    run_tasks(ctx_, n_groups_, pack_group);
  } else {
    for (int g = 0; g < n_groups_; ++g) pack_group(g, 0);
  }
}

float* MatmulPass::accumulator(int worker, int which) const {
  const int64_t accumulator_bytes = int64_t{capacity_} * kPanelRows * static_cast<int64_t>(sizeof(float));
  const int64_t worker_bytes = kernels::kPanelBytes + 2 * accumulator_bytes;
  return at<float>(workers_, worker * worker_bytes + kernels::kPanelBytes + which * accumulator_bytes);
}

void MatmulPass::multiply(float* acc, const PassTile& tile, const PassSegment& segment, int worker) const {
  auto* panel = static_cast<std::byte*>(static_cast<void*>(accumulator(worker, 0))) - kernels::kPanelBytes;
  if (kernels_.types[static_cast<int>(tile.w->type)].kind == kernels::PanelKind::kFloat) {
    multiply_floats(acc, tile, segment, panel);
  } else {
    multiply_codes(acc, tile, segment, panel);
  }
}

void MatmulPass::multiply_codes(float* acc, const PassTile& tile, const PassSegment& segment, void* panel) const {
  const int type = static_cast<int>(tile.w->type);
  const kernels::TypeKernels& traits = kernels_.types[type];
  const auto decode = kernels_.matmul.decode[type];
  const auto product = kernels_.matmul.multiply[static_cast<int>(traits.kind)];
  const int64_t n_blocks = cols_ / kernels::kActBlock;
  for (int64_t b = 0; b < n_blocks; b += kernels::kPanelBlocks) {
    const int64_t nb = std::min<int64_t>(kernels::kPanelBlocks, n_blocks - b);
    const int64_t offset = b * kernels::kActBlock / traits.block_size * traits.block_bytes;
    decode(panel, {tile.data + offset, tile.w->row_bytes, tile.n_rows}, nb * kernels::kActBlock);
    for (int g = segment.first_group; g < segment.first_group + segment.n_groups; ++g) {
      const PassGroup& group = groups_[g];
      product(acc + int64_t{group.first_col - segment.first_col} * kPanelRows, panel,
              kernels::act_group_from(group.acts, b), nb, b == 0);
    }
  }
}

void MatmulPass::multiply_floats(float* acc, const PassTile& tile, const PassSegment& segment, void* panel) const {
  const int type = static_cast<int>(tile.w->type);
  if (segment.n_cols == 1 && !ctx_.batch_invariant) {
    kernels_.matmul.dot_rows[type](acc, {tile.data, tile.w->row_bytes, tile.n_rows}, columns_[segment.first_col].x,
                                   cols_);
    return;
  }
  constexpr int64_t kPiece = int64_t{kernels::kPanelBlocks} * kernels::kActBlock;
  for (int64_t k = 0; k < cols_; k += kPiece) {
    const int64_t n = std::min(kPiece, cols_ - k);
    const int64_t offset = k * kernels_.types[type].block_bytes;
    kernels_.matmul.decode[type](panel, {tile.data + offset, tile.w->row_bytes, tile.n_rows}, n);
    for (int g = segment.first_group; g < segment.first_group + segment.n_groups; ++g) {
      const PassGroup& group = groups_[g];
      const float* x[kernels::kGroupCols] = {};
      for (int c = 0; c < group.n_cols; ++c) x[c] = columns_[group.first_col + c].x + k;
      kernels_.matmul.multiply_floats(acc + int64_t{group.first_col - segment.first_col} * kPanelRows, panel, x,
                                      group.n_cols, n, k == 0);
    }
  }
}

}  // namespace hearth
