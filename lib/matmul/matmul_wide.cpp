// Wide products: many tokens at once, on processors that multiply matrices (kernels::WideKernels).
#include <algorithm>
#include <climits>

#include "kernels/dispatch.h"
#include "lib/matmul/matmul_pass.h"

namespace hearth {
namespace {

using kernels::kPanelRows;

/// A matrix is divided among threads so that each has this number of wide tiles or more.
constexpr int64_t kWideTilesEach = 4;

}  // namespace

bool MatmulPass::may_take_wide(int64_t capacity) {
  static const int least = [] {
    int cols = INT_MAX;
    for (int i = 0; i < kernels::isa_count(); ++i) {
      const kernels::KernelTable* table = kernels::isa_table(i);
      if (table != nullptr && table->matmul.wide.least_cols > 0) cols = std::min(cols, table->matmul.wide.least_cols);
    }
    return cols;
  }();
  return capacity >= least;
}

bool MatmulPass::takes_wide(int64_t n_tokens) const {
  const int least = kernels_.matmul.wide.least_cols;
  return least > 0 && n_tokens >= least && !ctx_.batch_invariant && !ctx_.exact_products &&
         k_ % kernels::kWideStep == 0 && may_take_wide(capacity_);
}

int MatmulPass::wide_tile_rows(int64_t rows) const {
  int64_t tile = wide_tile_rows_;
  while (tile > kPanelRows && rows < kWideTilesEach * tile * ctx_.parallel->n_threads()) tile /= 2;
  return static_cast<int>(tile);
}

kernels::WideActs MatmulPass::wide_acts_of(const PassSegment& segment) const {
  return {acts_ + segment.wide_offset, segment.n_tokens, k_};
}

kernels::WideActs MatmulPass::rests_of(const PassSegment& segment) const {
  return {acts_ + segment.rests_offset, segment.n_tokens, k_};
}

void MatmulPass::multiply_both(float* a, const PassTile& tile_a, float* b, const PassTile& tile_b,
                               const PassSegment& segment, int worker, const std::byte* next_a) const {
  if (segment.wide && !multiplies_floats(static_cast<int>(tile_a.w->type)) &&
      !multiplies_floats(static_cast<int>(tile_b.w->type))) {
    const WidePart parts[2] = {{a, &tile_a, next_a, {}}, {b, &tile_b, nullptr, {}}};
    multiply_wide(parts, segment, worker);
    for (const WidePart& part : parts) {
      if (part.tile->scale == 1.0f) continue;
      kernels_.scale(part.acc, part.tile->scale, extent(part.tile->n_rows, segment.n_tokens));
    }
    return;
  }
  multiply(a, tile_a, segment, worker, {tile_b.data});
  multiply(b, tile_b, segment, worker, {next_a});
}

/// Elements of a block of rows of a tile.
struct MatmulPass::WideRows {
  const std::byte* data;
  int64_t n;
  int n_rows;
  kernels::WideNext next;  ///< what this block will take the next time
};

MatmulPass::WideRows MatmulPass::wide_rows(const WidePart& part, int row, int64_t k) const {
  const PassTile& tile = *part.tile;
  const int64_t row_bytes = tile.w->row_bytes;
  const kernels::TypeKernels& traits = kernels_.types[static_cast<int>(tile.w->type)];
  const auto bytes = [&](int64_t n) { return n / traits.block_size * traits.block_bytes; };
  const auto chunk = [&](int64_t at) { return kernels::wide_chunk_end(at, k_) - at; };
  const std::byte* data = tile.data + row * row_bytes;
  WideRows rows = {data + bytes(k), chunk(k), std::min(kPanelRows, tile.n_rows - row), {}};
  const int64_t next = k + rows.n;
  if (next < k_) {
    rows.next = {data + bytes(next), row_bytes, bytes(chunk(next))};
  } else if (part.next_tile != nullptr) {
    rows.next = {part.next_tile + row * row_bytes, row_bytes, bytes(chunk(0))};
  }
  return rows;
}

/// A block of a wide panel, by way of the panel of codes, which may be shorter. fetched: what comes next is being
/// fetched already.
void MatmulPass::widen(std::byte* block, std::byte* panel, const WidePart& part, const WideRows& rows,
                       bool fetched) const {
  const auto type = static_cast<int>(part.tile->w->type);
  const kernels::TypeKernels& traits = kernels_.types[type];
  const kernels::WideKernels& wide = kernels_.matmul.wide;
  for (int64_t i = 0; i < rows.n; i += kernels::kWideChunk) {
    const int64_t n = std::min<int64_t>(kernels::kWideChunk, rows.n - i);
    const int64_t at = i / traits.block_size * traits.block_bytes;
    const std::byte* ahead = fetched || rows.next.data == nullptr ? nullptr : rows.next.data + at;
    const kernels::WeightTile tile = {rows.data + at, part.tile->w->row_bytes, rows.n_rows, ahead, rows.next.row_bytes};
    std::byte* const out = block + i * kPanelRows * 2;
    if (wide.widen[type] != nullptr) {
      wide.widen[type](out, tile, n);
      continue;
    }
    kernels_.matmul.decode[type](panel, tile, n);
    wide.expand[static_cast<int>(traits.kind)](out, panel, n);
  }
}

/// Chunk after chunk of the elements, which all rows of all parts meet before the next: activations are read from afar
/// once.
void MatmulPass::multiply_wide(std::span<const WidePart> parts, const PassSegment& segment, int worker) const {
  const kernels::WideKernels& wide = kernels_.matmul.wide;
  const MatmulScratch::Parts& scratch = ctx_.scratch->parts_;
  std::byte* panel = scratch.panel + worker * scratch.worker_bytes;
  std::byte* wide_panel = scratch.wide_panel + worker * scratch.worker_bytes;
  const kernels::WideActs acts = wide_acts_of(segment);
  const int64_t ldo = parts[0].direct.ldo;
  const bool fetches = segment.n_tokens >= wide.fetching_cols;  // multiply() does, so decoders need not
  for (int64_t k = 0; k < k_; k = kernels::wide_chunk_end(k, k_)) {
    kernels::WideBlock blocks[kernels::kWideBlocks];
    int n_blocks = 0;
    const auto multiply = [&] {
      wide.multiply(blocks, n_blocks, wide_panel, acts, k / kernels::kWideChunk, ldo, k == 0);
      n_blocks = 0;
    };
    for (const WidePart& part : parts) {
      float* out = kernels::wide_chunk_end(k, k_) == k_ ? part.direct.out : nullptr;
      for (int row = 0; row < part.tile->n_rows; row += kPanelRows) {
        const WideRows rows = wide_rows(part, row, k);
        const kernels::WideNext next = fetches ? rows.next : kernels::WideNext{};
        widen(wide_panel + n_blocks * kPanelRows * rows.n * 2, panel, part, rows, fetches);
        blocks[n_blocks++] = {part.acc + at(row, segment.n_tokens, 0), out != nullptr ? out + row : nullptr, next};
        if (n_blocks == kernels::kWideBlocks) multiply();
      }
    }
    if (n_blocks > 0) multiply();
  }
}

/// 16-bit floats: w x = w' x' + w' x" + w" x', where x' is the nearest bfloat16 and x" its rest; w" x", a 2^16th part
/// at most, is left out.
void MatmulPass::multiply_split(const WidePart& part, const PassSegment& segment, int worker) const {
  const kernels::WideKernels& wide = kernels_.matmul.wide;
  const MatmulScratch::Parts& scratch = ctx_.scratch->parts_;
  std::byte* panel = scratch.wide_panel + worker * scratch.worker_bytes;
  const kernels::WideActs acts = wide_acts_of(segment), rest_acts = rests_of(segment);
  const auto type = static_cast<int>(part.tile->w->type);
  const bool fetches = segment.n_tokens >= wide.fetching_cols;
  const int most = wide.has_rests[type] ? kernels::kWideBlocks / 2 : kernels::kWideBlocks;
  for (int64_t k = 0; k < k_; k = kernels::wide_chunk_end(k, k_)) {
    float* out = kernels::wide_chunk_end(k, k_) == k_ ? part.direct.out : nullptr;
    for (int row = 0; row < part.tile->n_rows; row += most * kPanelRows) {
      kernels::WideBlock blocks[kernels::kWideBlocks];
      const std::byte* rests = nullptr;
      int n_blocks = 0;
      for (int r = row; n_blocks < most && r < part.tile->n_rows; r += kPanelRows) {
        const WideRows rows = wide_rows(part, r, k);
        std::byte* block = panel + n_blocks * kPanelRows * rows.n * 2;
        std::byte* rest = block + most * kPanelRows * rows.n * 2;
        if (n_blocks == 0) rests = rest;
        wide.split[type](block, rest, {rows.data, part.tile->w->row_bytes, rows.n_rows}, rows.n);
        blocks[n_blocks++] = {part.acc + at(r, segment.n_tokens, 0), nullptr,
                              fetches ? rows.next : kernels::WideNext{}};
      }
      const int64_t chunk = k / kernels::kWideChunk, ldo = part.direct.ldo;
      wide.multiply(blocks, n_blocks, panel, rest_acts, chunk, ldo, k == 0);
      for (kernels::WideBlock& block : blocks) block.next = {};
      if (wide.has_rests[type]) wide.multiply(blocks, n_blocks, rests, acts, chunk, ldo, false);
      for (int b = 0; b < n_blocks && out != nullptr; ++b) blocks[b].out = out + row + b * kPanelRows;
      wide.multiply(blocks, n_blocks, panel, acts, chunk, ldo, false);
    }
  }
}

}  // namespace hearth
