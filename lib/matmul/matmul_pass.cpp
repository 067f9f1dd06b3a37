// One pass of a matrix product: scratch layout, grouping, quantization, and a row tile times all tokens.
#include "lib/matmul/matmul_pass.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/concat.h"

namespace hearth {
namespace {

using kernels::kPanelRows;

/// Elements of a row that pass through a panel at once, and of activations that lie together.
constexpr int64_t kChunk = int64_t{kernels::kPanelBlocks} * kernels::kActBlock;
/// The same for float panels, which are four times as wide: they should fit the first-level cache.
constexpr int64_t kFloatChunk = 256;
static_assert(2 * kPanelRows * kFloatChunk * static_cast<int64_t>(sizeof(float)) <= kernels::kPanelBytes);
/// Elements of one row that are expanded from codes at once, when they meet a single token.
constexpr int64_t kExpandChunk = 4096;
static_assert(kExpandChunk * static_cast<int64_t>(sizeof(float)) <= kernels::kPanelBytes);
/// Up to this number of tokens reading weights is a good part of the work (see Prefetch::many_tokens).
constexpr int kFewTokens = 24;
/// Tiles for one token grow until each lane of a kernel that reads 16 streams has a long one.
constexpr int64_t kDotLanes = 16;
/// Up to this number of threads a share-out of small pieces costs more than it saves.
constexpr int64_t kFewThreads = 8;
/// Of a matrix that is one tile: from here on reading it takes longer than calling the other threads.
constexpr int64_t kSharedBytes = 192 << 10;
constexpr int64_t kStreamBytes = 8192;

/// Most tokens of a pass: beyond it the tile is decoded again, which costs about 2% of the product.
constexpr int64_t kMaxTokens = 512;
/// Fewest that scratch has room for, so that one token's experts share a pass.
constexpr int64_t kMinTokens = 16;
/// Elements quantized by one thread before it pays to wake the others (a fork-join is some microseconds).
constexpr int64_t kSerialPack = 32768;
/// Tasks for each thread that the groups of a pass make when they are quantized: drawing one takes half a microsecond.
constexpr int kPackTasksEach = 12;

int64_t tokens_for(int64_t max_tokens) {
  return std::clamp(max_tokens, kMinTokens, kMaxTokens);
}

int64_t round_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Inlined, since GCC takes calls of a function that does nothing else for calls without effect.
template <bool kToWrite>
inline __attribute__((always_inline)) void fetch_ahead(const void* at, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(at) + i, kToWrite);
}

template <typename T>
T* as(std::byte* memory) {
  return static_cast<T*>(static_cast<void*>(memory));
}

}  // namespace

MatmulScratch::Parts MatmulScratch::lay_out(Layout& layout, int64_t max_tokens, int64_t max_k, int n_threads) {
  const int64_t capacity = tokens_for(max_tokens);
  const auto take = [&](int64_t bytes) { return layout.take<std::byte>(bytes); };
  Parts parts;
  parts.tokens = take(capacity * static_cast<int64_t>(sizeof(PassToken)));
  parts.segments = take(capacity * static_cast<int64_t>(sizeof(PassSegment)));
  parts.groups = take(capacity * static_cast<int64_t>(sizeof(PassGroup)));
  const bool wide = MatmulPass::may_take_wide(capacity);
  const int64_t token_bytes = round_up(max_k, kChunk) / kChunk * kernels::act_group_bytes(kChunk, 1);
  parts.acts = take(capacity * std::max(token_bytes, wide ? 4 * max_k : 0));  // both parts of it
  const int64_t tile_rows = wide ? kernels::kDotRows : kPanelRows;
  for (int worker = 0; worker < n_threads; ++worker) {
    const uint64_t begin = layout.used();
    std::byte* panel = take(kernels::kPanelBytes);
    std::byte* wide_panel = take(wide ? kernels::kWidePanelBytes : 0);
    const int64_t accumulator_bytes = capacity * tile_rows * static_cast<int64_t>(sizeof(float));
    std::byte* accumulators = take(2 * accumulator_bytes);
    if (worker > 0) continue;
    parts.panel = panel;
    parts.wide_panel = wide_panel;
    parts.accumulators = accumulators;
    parts.accumulator_bytes = accumulator_bytes;
    parts.worker_bytes = static_cast<int64_t>(layout.used() - begin);
  }
  return parts;
}

uint64_t MatmulScratch::bytes_needed(int64_t max_tokens, int64_t max_k, int n_threads) {
  Layout counting(nullptr);
  lay_out(counting, max_tokens, max_k, n_threads);
  return counting.used();
}

void MatmulScratch::bind(std::byte* memory, int64_t max_tokens, int64_t max_k, int n_threads) {
  Layout layout(memory);
  parts_ = lay_out(layout, max_tokens, max_k, n_threads);
  max_tokens_ = max_tokens;
  max_k_ = max_k;
  n_threads_ = n_threads;
}

bool MatmulScratch::fits(int64_t k, int n_threads) {
  if (k <= max_k_ && n_threads <= n_threads_) return true;
  if (too_wide_ == 0) too_wide_ = k;
  return false;
}

Status MatmulScratch::take_status() {
  const int64_t k = std::exchange(too_wide_, 0);
  if (k == 0) return {};
  return Error{ErrorCode::kLimit,
               concat("a matrix product with rows of ", k, " elements does not fit scratch memory for ", max_k_)};
}

MatmulPass::MatmulPass(const MatmulContext& ctx, int64_t k, int n_together)
    : ctx_(ctx), kernels_(kernels::kernels()), k_(k), wide_tile_rows_(2 * kernels::kDotRows / n_together) {
  const MatmulScratch& scratch = *ctx.scratch;
  capacity_ = static_cast<int>(tokens_for(scratch.max_tokens_));
  tokens_ = as<PassToken>(scratch.parts_.tokens);
  segments_ = as<PassSegment>(scratch.parts_.segments);
  groups_ = as<PassGroup>(scratch.parts_.groups);
  acts_ = scratch.parts_.acts;
}

void MatmulPass::clear() {
  n_tokens_ = 0;
  n_segments_ = 0;
  n_groups_ = 0;
  n_wide_ = 0;
}

void MatmulPass::begin_segment(int expert) {
  segments_[n_segments_++] = {expert, 0, 0, n_tokens_, 0, false, 0, 0};
}

void MatmulPass::add_token(const float* x, int64_t out_row) {
  tokens_[n_tokens_++] = {x, out_row};
  ++segments_[n_segments_ - 1].n_tokens;
}

void MatmulPass::make_groups() {
  chunk_stride_ = 0;
  n_wide_ = 0;
  most_tokens_ = 0;
  for (int i = 0; i < n_segments_; ++i) {
    PassSegment& segment = segments_[i];
    most_tokens_ = std::max(most_tokens_, segment.n_tokens);
    segment.wide = takes_wide(segment.n_tokens);
    n_wide_ += segment.wide ? 1 : 0;
    segment.first_group = n_groups_;
    segment.n_groups = (segment.n_tokens + kernels::kGroupCols - 1) / kernels::kGroupCols;
    int token = segment.first_token;
    for (int g = 0; g < segment.n_groups; ++g) {  // groups of equal size, or one less
      const int left = segment.first_token + segment.n_tokens - token;
      const int n = (left + segment.n_groups - g - 1) / (segment.n_groups - g);
      PassGroup& group = groups_[n_groups_++] = {i, token, n, chunk_stride_, false};
      token += n;
      if (segment.wide) continue;
      const PassGroup* before = i > 0 && !segments_[i - 1].wide ? &group - 1 : nullptr;
      if (n == 1 && before != nullptr && before->n_tokens == 1 &&
          tokens_[before->first_token].x == tokens_[group.first_token].x) {
        group.offset = before->offset;
        group.is_packed = true;
        continue;
      }
      if (planes_[n].q == nullptr) planes_[n] = kernels::act_group_at(acts_, kChunk, n);
      chunk_stride_ += kernels::act_group_bytes(kChunk, n);
    }
  }
  int64_t offset = chunk_stride_ * (round_up(k_, kChunk) / kChunk);
  for (int i = 0; i < n_segments_ && n_wide_ > 0; ++i) {
    if (!segments_[i].wide) continue;
    const int64_t bytes = round_up(2 * k_ * segments_[i].n_tokens, 64);
    segments_[i].wide_offset = offset;
    segments_[i].rests_offset = offset + bytes;
    offset += forms_.halves ? 2 * bytes : bytes;
  }
}

kernels::ActGroup MatmulPass::acts_of(const PassGroup& group, int64_t chunk) const {
  const kernels::ActGroup& first = planes_[group.n_tokens];
  const int64_t bytes = chunk * chunk_stride_ + group.offset;
  const auto dwords = static_cast<int64_t>(static_cast<uint64_t>(bytes) / 4);
  // Member by member: copying it as a whole takes longer in code built for size.
  return {first.n_cols,          first.q + bytes,       first.d + dwords,
          first.sum16 + dwords,  first.sum32 + dwords,  first.init16 + dwords,
          first.init32 + dwords, first.sum256 + dwords, first.d256 + dwords};
}

void MatmulPass::pack_group(const PassGroup& group, int64_t begin, int64_t end) const {
  if (group.is_packed) return;
  const PassToken* tokens = tokens_ + group.first_token;
  const PassSegment& segment = segments_[group.segment];
  if (segment.wide) {
    const float* x[kernels::kGroupCols] = {};
    for (int c = 0; c < group.n_tokens; ++c) x[c] = tokens[c].x;
    const int first = group.first_token - segment.first_token;
    kernels_.matmul.wide.pack(wide_acts_of(segment), first, group.n_tokens, x);
    if (forms_.halves) kernels_.matmul.wide.pack_rests(rests_of(segment), first, group.n_tokens, x);
    return;
  }
  if (!forms_.codes) return;
  for (int64_t k = begin; k < end; k += kChunk) {
    const kernels::ActGroup acts = acts_of(group, k / kChunk);
    const bool last_chunk = k + kChunk >= end;
    if (kernels_.matmul.pack_group != nullptr) {
      const float* x[kernels::kGroupCols] = {};
      for (int c = 0; c < group.n_tokens; ++c) {
        x[c] = tokens[c].x + k;
        if (!last_chunk) fetch_ahead<false>(x[c] + kChunk, std::min(kChunk, k_ - k - kChunk) * 4);
      }
      kernels_.matmul.pack_group(acts, x, std::min(kChunk, k_ - k));
      continue;
    }
    for (int c = 0; c < group.n_tokens; ++c) {
      // Pieces of some lines each, from many rows and to as many places: no pattern that a processor would see.
      const bool last = c + 1 == group.n_tokens;
      if (!last || !last_chunk) fetch_ahead<false>(last ? tokens->x + k + kChunk : tokens[c + 1].x + k, kChunk * 4);
      const int64_t share = kernels::act_group_bytes(kChunk, group.n_tokens) / group.n_tokens;
      if (!last_chunk) fetch_ahead<true>(acts.q + chunk_stride_ + c * share, share);
      kernels_.matmul.pack_acts(acts, c, tokens[c].x + k, std::min(kChunk, k_ - k));
    }
  }
}

void MatmulPass::pack(PackedForms forms) {
  forms_ = forms;
  make_groups();
  if (!forms.codes && (!forms.halves || n_wide_ == 0)) return;
  if (n_tokens_ * k_ >= kSerialPack) {
    const int most = n_groups_ / (kPackTasksEach * ctx_.parallel->n_threads()), per_task = std::max(most, 1);
    ctx_.parallel->run((n_groups_ + per_task - 1) / per_task, [this, per_task](int task, int) {
      const int end = std::min(n_groups_, (task + 1) * per_task);
      for (int g = task * per_task; g < end; ++g) pack_group(groups_[g], 0, k_);
    });
  } else if (ctx_.parallel->n_threads() > kFewThreads && n_wide_ == 0) {  // where many wait for it, chunk by chunk
    const auto n_chunks = static_cast<int>((k_ + kChunk - 1) / kChunk);
    ctx_.parallel->run(n_groups_ * n_chunks, [this, n_chunks](int task, int) {
      const int64_t k = task % n_chunks * kChunk;
      pack_group(groups_[task / n_chunks], k, std::min(k + kChunk, k_));
    });
  } else {
    for (int g = 0; g < n_groups_; ++g) pack_group(groups_[g], 0, k_);
  }
}

void MatmulPass::adopt(void* wide) {
  acts_ = static_cast<std::byte*>(wide);
  make_groups();
}

int MatmulPass::tile_rows(int64_t rows, int64_t row_bytes) const {
  const int64_t n_threads = ctx_.parallel->n_threads();
  if (n_wide_ > 0) return wide_tile_rows(rows);
  if (most_tokens_ > 1) return kPanelRows;
  // Of a matrix with few but long rows, as adapters have them, every thread takes some.
  if (rows <= kPanelRows && rows * row_bytes >= kSharedBytes)
    return static_cast<int>(std::max<int64_t>((rows + n_threads - 1) / n_threads, 2));
  // With many threads each has few tiles: smaller ones, so that those that are late can be helped.
  if (n_threads > kFewThreads && rows < 4 * kPanelRows * n_threads) return static_cast<int>(kDotLanes);
  int64_t tile = kPanelRows;
  while (2 * tile <= kernels::kDotRows && tile / kDotLanes * row_bytes < kStreamBytes && rows >= 8 * tile * n_threads) {
    tile *= 2;
  }
  return static_cast<int>(tile);
}

float* MatmulPass::accumulator(int worker, int which) const {
  const MatmulScratch::Parts& parts = ctx_.scratch->parts_;
  return as<float>(parts.accumulators + which * parts.accumulator_bytes + worker * parts.worker_bytes);
}

bool MatmulPass::multiply(float* acc, const PassTile& tile, const PassSegment& segment, int worker,
                          const Prefetch& prefetch, const DirectOutput& direct) const {
  const int type = static_cast<int>(tile.w->type), n_tokens = segment.n_tokens;
  const int64_t row_bytes = tile.w->row_bytes;
  const MatmulScratch::Parts& parts = ctx_.scratch->parts_;
  auto* panel = as<float>(parts.panel + worker * parts.worker_bytes);
  if (segment.wide && (splits(type) || !multiplies_floats(type))) {
    const bool stores = direct.out != nullptr && tile.scale == 1.0f && tile.n_rows % kPanelRows == 0;
    const WidePart part = {acc, &tile, prefetch.next_tile, stores ? direct : DirectOutput{}};
    if (splits(type)) {
      multiply_split(part, segment, worker);
    } else {
      multiply_wide({&part, 1}, segment, worker);
    }
    if (stores) return true;
  } else {
    const bool dots = takes_dots(segment, type);
    const bool float_token = n_tokens == 1 && multiplies_floats(type) && !ctx_.batch_invariant;
    const int most_rows = n_tokens == 1 && (dots || float_token) ? kernels::kDotRows : kPanelRows;
    for (int row = 0; row < tile.n_rows; row += most_rows) {
      const int n_rows = std::min(most_rows, tile.n_rows - row);
      const std::byte* data = tile.data + row * row_bytes;
      const std::byte* next = (row + n_rows < tile.n_rows) ? data + n_rows * row_bytes : prefetch.next_tile;
      const kernels::WeightTile rows = {data, row_bytes, n_rows, dots ? next : nullptr, 0};
      float* out = acc + at(row, n_tokens, 0);
      if (dots) {
        kernels_.matmul.dot_columns[type](out, kPanelRows, rows, acts_ + groups_[segment.first_group].offset,
                                          chunk_stride_, k_, n_tokens);
      } else if (float_token) {
        multiply_float_token(out, rows, tokens_[segment.first_token].x, type, panel);  // sums in an order of its own
      } else {
        multiply_panels(out, rows, segment, type, panel, {next});
      }
    }
  }
  if (tile.scale != 1.0f) kernels_.scale(acc, tile.scale, extent(tile.n_rows, n_tokens));
  return false;
}

bool MatmulPass::multiplies_floats(int type) const {
  return ctx_.exact_products || kernels_.types[type].kind == kernels::PanelKind::kFloat;
}

/// Few tokens that meet codes, where the kernels have a path without a panel.
bool MatmulPass::takes_dots(const PassSegment& segment, int type) const {
  const kernels::MatmulKernels& m = kernels_.matmul;
  return !multiplies_floats(type) && m.dot_columns[type] != nullptr && segment.n_tokens <= m.dot_most_cols[type];
}

/// acc[r] = row r times x: of floats, or with exact products of integer codes, whose floats pass row by row through
/// panel[kExpandChunk].
void MatmulPass::multiply_float_token(float* acc, const kernels::WeightTile& rows, const float* x, int type,
                                      float* panel) const {
  constexpr auto kF32 = static_cast<int>(kernels::TypeIndex::kF32);
  if (kernels_.matmul.dot_rows[type] != nullptr) return kernels_.matmul.dot_rows[type](acc, rows, x, k_);
  const kernels::TypeKernels& traits = kernels_.types[type];
  for (int r = 0; r < rows.n_rows; ++r) {
    const auto* data = static_cast<const std::byte*>(rows.data) + r * rows.row_bytes;
    acc[r] = 0.0f;
    for (int64_t k = 0; k < k_; k += kExpandChunk) {
      const int64_t n = std::min(kExpandChunk, k_ - k);
      traits.dequantize(panel, data + k / traits.block_size * traits.block_bytes, n);
      float part = 0.0f;
      kernels_.matmul.dot_rows[kF32](&part, {panel, n * static_cast<int64_t>(sizeof(float)), 1}, x + k, n);
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

void MatmulPass::multiply_panels(float* acc, kernels::WeightTile rows, const PassSegment& segment, int type,
                                 float* panel, Prefetch prefetch) const {
  const kernels::TypeKernels& traits = kernels_.types[type];
  const bool floats = multiplies_floats(type);
  const int64_t chunk = floats ? kFloatChunk : kChunk;
  const int64_t chunk_bytes = chunk / traits.block_size * traits.block_bytes;
  prefetch.tile_bytes = rows.n_rows * rows.row_bytes;
  prefetch.n_chunks = (k_ + chunk - 1) / chunk;
  prefetch.n_tokens = segment.n_tokens;
  prefetch.many_tokens = rows.many_columns = segment.n_tokens > kFewTokens;
  const auto* data = static_cast<const std::byte*>(rows.data);
  for (int64_t i = 0; i < prefetch.n_chunks; ++i) {
    const int64_t k = i * chunk, n = std::min(chunk, k_ - k);
    rows.data = data + i * chunk_bytes;
    prefetch.while_decoding(rows, i, chunk_bytes);
    if (floats) {
      decode_floats(panel, rows, n, type);
    } else {
      kernels_.matmul.decode[type](panel, rows, n);
    }
    for (int g = 0; g < segment.n_groups; ++g) {
      const PassGroup& group = groups_[segment.first_group + g];
      float* out = acc + int64_t{group.first_token - segment.first_token} * kPanelRows;
      if (floats) {
        multiply_float_group(out, panel, group, k, n);
        continue;
      }
      kernels::ActGroup acts = acts_of(group, i);
      prefetch.while_multiplying(acts, i, group.first_token - segment.first_token);
      kernels_.matmul.multiply[static_cast<int>(traits.kind)](out, panel, acts, n / kernels::kActBlock, k == 0);
    }
  }
}

void MatmulPass::multiply_float_group(float* acc, const void* panel, const PassGroup& group, int64_t k,
                                      int64_t n) const {
  const float* x[kernels::kGroupCols] = {};
  for (int c = 0; c < group.n_tokens; ++c) x[c] = tokens_[group.first_token + c].x + k;
  kernels_.matmul.multiply_floats(acc, panel, x, group.n_tokens, n, k == 0);
}

void MatmulPass::add_update(float* acc, const PassTile& tile, const PassSegment& segment, int worker,
                            const LowRankUpdate& update) const {
  const Matrix& b = update.b;
  const int type = static_cast<int>(b.type);
  const MatmulScratch::Parts& parts = ctx_.scratch->parts_;
  auto* panel = as<float>(parts.panel + worker * parts.worker_bytes);
  const std::byte* data = b.data + segment.expert * update.expert_stride_bytes + tile.row * b.row_bytes;
  const PassToken& first = tokens_[segment.first_token];
  const bool one = segment.n_tokens == 1 && !ctx_.batch_invariant && kernels_.matmul.dot_rows[type] != nullptr;
  if (one && (update.chosen == nullptr || update.chosen[first.out_row] >= 0)) {
    for (int row = 0; row < tile.n_rows; row += kernels::kDotRows) {
      const int n_rows = std::min(kernels::kDotRows, tile.n_rows - row);
      kernels_.matmul.dot_rows[type](panel, {data + row * b.row_bytes, b.row_bytes, n_rows},
                                     update.low + first.out_row * b.cols, b.cols);
      kernels_.add(acc + row, panel, n_rows);
    }
  }
  if (one) return;
  const kernels::TypeKernels& traits = kernels_.types[type];
  for (int row = 0; row < tile.n_rows; row += kPanelRows) {
    for (int64_t k = 0; k < b.cols; k += kFloatChunk) {
      const int64_t n = std::min(kFloatChunk, b.cols - k);
      const std::byte* part = data + row * b.row_bytes + k / traits.block_size * traits.block_bytes;
      decode_floats(panel, {part, b.row_bytes, std::min(kPanelRows, tile.n_rows - row)}, n, type);
      for (int g = 0; g < segment.n_groups; ++g) {
        const PassGroup& group = groups_[segment.first_group + g];
        add_update_group(acc + at(row, segment.n_tokens, group.first_token - segment.first_token), panel, group, update,
                         k, n);
      }
    }
  }
}

/// Tokens that follow one another go through the kernel together.
void MatmulPass::add_update_group(float* acc, const void* panel, const PassGroup& group, const LowRankUpdate& update,
                                  int64_t k, int64_t n) const {
  const float* low[kernels::kGroupCols] = {};
  int n_low = 0;
  for (int c = 0; c <= group.n_tokens; ++c) {
    const int64_t row = c < group.n_tokens ? tokens_[group.first_token + c].out_row : -1;
    if (row >= 0 && (update.chosen == nullptr || update.chosen[row] >= 0)) {
      low[n_low++] = update.low + row * update.b.cols + k;
      continue;
    }
    if (n_low > 0) kernels_.matmul.multiply_floats(acc + (c - n_low) * kPanelRows, panel, low, n_low, n, false);
    n_low = 0;
  }
}

}  // namespace hearth
