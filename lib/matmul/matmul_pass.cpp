// One pass of a matrix product: scratch layout, grouping, quantisation, and a row tile times all columns.
#include "lib/matmul/matmul_pass.h"

#include <algorithm>

namespace hearth {
namespace {

using kernels::kPanelRows;

/// Columns of W that pass through a panel at once, and of activations that lie together.
constexpr int64_t kChunk = int64_t{kernels::kPanelBlocks} * kernels::kActBlock;
/// The same for float panels, which are four times as wide: they should fit the first-level cache.
constexpr int64_t kFloatChunk = 256;
static_assert(kernels::kDotCols <= kernels::kGroupCols);  // they form one group
static_assert(2 * kPanelRows * kFloatChunk * static_cast<int64_t>(sizeof(float)) <= kernels::kPanelBytes);
/// Elements of one row that are expanded from codes at once, when they meet a single column.
constexpr int64_t kExpandChunk = 4096;
static_assert(kExpandChunk * static_cast<int64_t>(sizeof(float)) <= kernels::kPanelBytes);
/// Up to so many columns, where reading weights is a good part of the work, multiplying a tile prefetches the next one.
/// With more columns decoding prefetches the next panel, and multiplying the activations.
constexpr int kFewColumns = 24;
/// Tiles for one column grow until each lane of a kernel that reads so many streams has a long one.
constexpr int64_t kDotLanes = 16;
constexpr int64_t kStreamBytes = 8192;

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
  s.workers = s.acts + capacity * round_up(max_cols, kChunk) / kChunk * kernels::act_group_bytes(kChunk, 1);
  s.accumulator_bytes = capacity * kPanelRows * static_cast<int64_t>(sizeof(float));
  s.worker_bytes = kernels::kPanelBytes + 2 * s.accumulator_bytes;
  s.total = s.workers + n_threads * s.worker_bytes;
  return s;
}

template <typename T>
T* at(std::byte* memory, int64_t offset) {
  return static_cast<T*>(static_cast<void*>(memory + offset));
}

/// Lets group g of n_groups, at chunk `chunk` of n_chunks, prefetch its share of the next tile.
void prefetch_next_tile(kernels::ActGroup& acts, const std::byte* next, int64_t tile_bytes, int64_t chunk,
                        int64_t n_chunks, int g, int n_groups) {
  const int64_t n_shares = n_chunks * n_groups;
  acts.ahead = next + tile_bytes * (chunk * n_groups + g) / n_shares / 64 * 64;
  acts.ahead_bytes = static_cast<int32_t>(round_up(tile_bytes / n_shares / kernels::kPanelBlocks + 1, 64));
  acts.ahead_far = true;
}

/// Lets a group prefetch the one behind it in memory: 47 bytes a column and block in the planes of codes, d,
/// sum256, d256, sum32 and init32.
void prefetch_next_group(kernels::ActGroup& acts) {
  acts.ahead = acts.q + kernels::act_group_bytes(kChunk, acts.n_cols);
  acts.ahead_bytes = (47 * acts.n_cols + 63) / 64 * 64;
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

int threads_of(const MatmulContext& ctx) {
  return (ctx.parallel != nullptr) ? ctx.parallel->n_threads() : 1;
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
  chunk_stride_ = 0;
  for (int i = 0; i < n_segments_; ++i) {
    PassSegment& segment = segments_[i];
    segment.first_group = n_groups_;
    segment.n_groups = (segment.n_cols + kernels::kGroupCols - 1) / kernels::kGroupCols;
    int col = segment.first_col;
    for (int g = 0; g < segment.n_groups; ++g) {  // groups of equal size, or one less
      const int left = segment.first_col + segment.n_cols - col;
      const int n = (left + segment.n_groups - g - 1) / (segment.n_groups - g);
      groups_[n_groups_++] = {col, n, chunk_stride_};
      chunk_stride_ += kernels::act_group_bytes(kChunk, n);
      col += n;
    }
  }
}

kernels::ActGroup MatmulPass::acts_of(const PassGroup& group, int64_t chunk) const {
  return kernels::act_group_at(acts_ + chunk * chunk_stride_ + group.offset, kChunk, group.n_cols);
}

void MatmulPass::pack_group(const PassGroup& group) const {
  for (int64_t k = 0; k < cols_; k += kChunk) {
    const kernels::ActGroup acts = acts_of(group, k / kChunk);
    for (int c = 0; c < group.n_cols; ++c) {
      kernels_.matmul.pack_acts(acts, c, columns_[group.first_col + c].x + k, std::min(kChunk, cols_ - k));
    }
  }
}

void MatmulPass::pack(bool codes) {
  make_groups();
  if (!codes) return;
  if (n_columns_ * cols_ >= kSerialPack) {
    run_tasks(ctx_, n_groups_, [this](int g, int) { pack_group(groups_[g]); });
  } else {
    for (int g = 0; g < n_groups_; ++g) pack_group(groups_[g]);
  }
}

int MatmulPass::tile_rows(int64_t rows, int64_t row_bytes) const {
  int64_t largest = 0;  // columns of a segment
  for (int i = 0; i < n_segments_; ++i) largest = std::max<int64_t>(largest, segments_[i].n_cols);
  if (largest > 1) return kPanelRows;
  const int64_t n_threads = threads_of(ctx_);
  int64_t tile = kPanelRows;
  while (2 * tile <= kernels::kDotRows && tile / kDotLanes * row_bytes < kStreamBytes && rows >= 8 * tile * n_threads) {
    tile *= 2;
  }
  return static_cast<int>(tile);
}

int64_t MatmulPass::row_stride(int n_rows) {
  return round_up(n_rows, kPanelRows);
}

float* MatmulPass::accumulator(int worker, int which) const {
  const int64_t accumulator_bytes = int64_t{capacity_} * kPanelRows * static_cast<int64_t>(sizeof(float));
  const int64_t worker_bytes = kernels::kPanelBytes + 2 * accumulator_bytes;
  return at<float>(workers_, worker * worker_bytes + kernels::kPanelBytes + which * accumulator_bytes);
}

void MatmulPass::multiply(float* acc, const PassTile& tile, const std::byte* next, const PassSegment& segment,
                          int worker) const {
  multiply_unscaled(acc, tile, next, segment, worker);
  if (tile.scale == 1.0f) return;
  for (int c = 0; c < segment.n_cols; ++c) kernels_.scale(acc + c * row_stride(tile.n_rows), tile.scale, tile.n_rows);
}

void MatmulPass::multiply_unscaled(float* acc, const PassTile& tile, const std::byte* next, const PassSegment& segment,
                                   int worker) const {
  const int type = static_cast<int>(tile.w->type);
  const int64_t row_bytes = tile.w->row_bytes;
  float* panel = accumulator(worker, 0) - kernels::kPanelBytes / static_cast<int64_t>(sizeof(float));
  if (multiply_dots(acc, tile, next, segment, type)) return;
  if (segment.n_cols == 1 && multiply_float_column(acc, tile, segment, type, panel)) return;
  for (int row = 0; row < tile.n_rows; row += kPanelRows) {  // more than once only for a single column
    const int n_rows = std::min(kPanelRows, tile.n_rows - row);
    const std::byte* data = tile.data + row * row_bytes;
    multiply_panels(acc + row, {data, row_bytes, n_rows, nullptr, 0},
                    (row + n_rows < tile.n_rows) ? data + n_rows * row_bytes : next, segment, type, panel);
  }
}

bool MatmulPass::multiplies_floats(int type) const {
  return ctx_.exact_products || kernels_.types[type].kind == kernels::PanelKind::kFloat;
}

/// Few columns of codes, where the kernels have a way without a panel.
bool MatmulPass::multiply_dots(float* acc, const PassTile& tile, const std::byte* next, const PassSegment& segment,
                               int type) const {
  const kernels::MatmulKernels& m = kernels_.matmul;
  if (multiplies_floats(type) || m.dot_columns[type] == nullptr || segment.n_cols > m.dot_most_cols[type]) return false;
  const kernels::WeightTile rows = {tile.data, tile.w->row_bytes, tile.n_rows, next, 0};
  m.dot_columns[type](acc, row_stride(tile.n_rows), rows, acts_ + groups_[segment.first_group].offset, chunk_stride_,
                      cols_, segment.n_cols);
  return true;
}

/// One column of floats, or with exact products.
bool MatmulPass::multiply_float_column(float* acc, const PassTile& tile, const PassSegment& segment, int type,
                                       float* panel) const {
  if (!multiplies_floats(type) || ctx_.batch_invariant) return false;  // the sums of dot_rows have another order
  const kernels::WeightTile rows = {tile.data, tile.w->row_bytes, tile.n_rows, nullptr, 0};
  const float* x = columns_[segment.first_col].x;
  if (kernels_.matmul.dot_rows[type] != nullptr) {
    kernels_.matmul.dot_rows[type](acc, rows, x, cols_);
  } else {
    multiply_expanded_column(acc, rows, x, type, panel);
  }
  return true;
}

/// acc[r] = row r of integer codes times x, a row's floats passing through values[kExpandChunk].
void MatmulPass::multiply_expanded_column(float* acc, const kernels::WeightTile& rows, const float* x, int type,
                                          float* values) const {
  constexpr auto kF32 = static_cast<int>(kernels::TypeIndex::kF32);
  const kernels::TypeKernels& traits = kernels_.types[type];
  for (int r = 0; r < rows.n_rows; ++r) {
    const auto* data = static_cast<const std::byte*>(rows.data) + r * rows.row_bytes;
    acc[r] = 0.0f;
    for (int64_t k = 0; k < cols_; k += kExpandChunk) {
      const int64_t n = std::min(kExpandChunk, cols_ - k);
      traits.dequantize(values, data + k / traits.block_size * traits.block_bytes, n);
      float part = 0.0f;
      kernels_.matmul.dot_rows[kF32](&part, {values, n * static_cast<int64_t>(sizeof(float)), 1}, x + k, n);
      acc[r] += part;
    }
  }
}

/// A panel of floats from a tile of any type. The floats of codes lie, row by row, in the panel's second half first.
void MatmulPass::decode_floats(float* panel, const kernels::WeightTile& rows, int64_t n, int type) const {
  constexpr auto kF32 = static_cast<int>(kernels::TypeIndex::kF32);
  const kernels::TypeKernels& traits = kernels_.types[type];
  if (traits.kind == kernels::PanelKind::kFloat) return kernels_.matmul.decode[type](panel, rows, n);
  float* values = panel + kPanelRows * kFloatChunk;
  for (int r = 0; r < rows.n_rows; ++r) {
    traits.dequantize(values + r * n, static_cast<const std::byte*>(rows.data) + r * rows.row_bytes, n);
  }
  kernels_.matmul.decode[kF32](panel, {values, n * static_cast<int64_t>(sizeof(float)), rows.n_rows}, n);
}

void MatmulPass::multiply_panels(float* acc, kernels::WeightTile rows, const std::byte* next,
                                 const PassSegment& segment, int type, float* panel) const {
  const kernels::TypeKernels& traits = kernels_.types[type];
  const bool floats = multiplies_floats(type);
  const int64_t chunk = floats ? kFloatChunk : kChunk;
  const int64_t chunk_bytes = chunk / traits.block_size * traits.block_bytes;
  const bool few = segment.n_cols <= kFewColumns;
  const int64_t n_chunks = (cols_ + chunk - 1) / chunk;
  const auto* data = static_cast<const std::byte*>(rows.data);
  for (int64_t k = 0; k < cols_; k += chunk, data += chunk_bytes) {
    const int64_t n = std::min(chunk, cols_ - k);
    rows.data = data;
    rows.ahead = few ? nullptr : (k + n == cols_ && next != nullptr) ? next : data + chunk_bytes;
    rows.ahead_stride = rows.row_bytes;
    rows.many_columns = !few;
    if (floats) {
      decode_floats(panel, rows, n, type);
    } else {
      kernels_.matmul.decode[type](panel, rows, n);
    }
    for (int g = 0; g < segment.n_groups; ++g) {
      const PassGroup& group = groups_[segment.first_group + g];
      float* columns = acc + int64_t{group.first_col - segment.first_col} * kPanelRows;
      if (floats) {
        multiply_float_group(columns, panel, group, k, n);
        continue;
      }
      kernels::ActGroup acts = acts_of(group, k / kChunk);
      if (!few) {
        prefetch_next_group(acts);
      } else if (next != nullptr) {
        prefetch_next_tile(acts, next, rows.n_rows * rows.row_bytes, k / kChunk, n_chunks, g, segment.n_groups);
      }
      kernels_.matmul.multiply[static_cast<int>(traits.kind)](columns, panel, acts, n / kernels::kActBlock, k == 0);
    }
  }
}

void MatmulPass::multiply_float_group(float* acc, const void* panel, const PassGroup& group, int64_t k,
                                      int64_t n) const {
  const float* x[kernels::kGroupCols] = {};
  for (int c = 0; c < group.n_cols; ++c) x[c] = columns_[group.first_col + c].x + k;
  kernels_.matmul.multiply_floats(acc, panel, x, group.n_cols, n, k == 0);
}

}  // namespace hearth
