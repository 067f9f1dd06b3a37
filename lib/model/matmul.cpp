// Matrix products over threads: which columns form a pass, which row tiles form a task, and what becomes of a
// finished tile (bias, gate, place in the output).
#include "lib/model/matmul.h"

#include <algorithm>

#include "lib/model/matmul_pass.h"

namespace hearth {
namespace {

using kernels::kPanelRows;

/// A task is so many row tiles that it reads about this many bytes, so that handing it out costs nothing ...
constexpr int64_t kTaskBytes = 128 * 1024;
/// ... but no fewer tasks than this for each thread, so that they finish together.
constexpr int64_t kTasksPerThread = 8;

int64_t tiles_of(const Matrix& w) {
  return (w.rows + kPanelRows - 1) / kPanelRows;
}

PassTile tile_at(const Matrix& w, int64_t tile, int64_t byte_offset) {
  const int64_t row = tile * kPanelRows;
  return {&w, w.data + byte_offset + row * w.row_bytes, static_cast<int>(std::min<int64_t>(kPanelRows, w.rows - row))};
}

bool wants_codes(const Matrix& w) {
  return kernels::kernels().types[static_cast<int>(w.type)].kind != kernels::PanelKind::kFloat;
}

/// Runs body(tile, worker) for every tile in [0, n_tiles), several to a task.
template <typename Body>
void for_tiles(const MatmulContext& ctx, int64_t n_tiles, int64_t tile_bytes, const Body& body) {
  const int64_t n_threads = (ctx.parallel != nullptr) ? ctx.parallel->n_threads() : 1;
  const int64_t by_bytes = kTaskBytes / std::max<int64_t>(tile_bytes, 1);
  const int64_t by_balance = n_tiles / (n_threads * kTasksPerThread);
  const int64_t per_task = std::max<int64_t>(1, std::min(by_bytes, by_balance));
  run_tasks(ctx, static_cast<int>((n_tiles + per_task - 1) / per_task), [&](int task, int worker) {
    const int64_t end = std::min(n_tiles, (task + 1) * per_task);
    for (int64_t tile = task * per_task; tile < end; ++tile) body(tile, worker);
  });
}

/// Copies a finished tile to the output rows of its columns.
void store_tile(const MatmulPass& pass, const PassSegment& segment, const float* acc, int n_rows, float* out,
                int64_t ldo) {
  for (int c = 0; c < segment.n_cols; ++c) {
    std::copy_n(acc + int64_t{c} * kPanelRows, n_rows, out + pass.column(segment.first_col + c).out_row * ldo);
  }
}

/// Adds a bias to every column of a tile.
void add_tile_bias(const PassSegment& segment, float* acc, const float* bias, int n_rows) {
  for (int c = 0; c < segment.n_cols; ++c, acc += kPanelRows) {
    for (int r = 0; r < n_rows; ++r) acc[r] += bias[r];
  }
}

/// Fills the pass with tokens [first, ...) as one segment; returns how many it took.
int64_t take_tokens(MatmulPass& pass, const float* x, int64_t ldx, int64_t first, int64_t n_tokens) {
  const int64_t n = std::min<int64_t>(n_tokens - first, pass.capacity());
  pass.clear();
  pass.begin_segment(0);
  for (int64_t t = first; t < first + n; ++t) pass.add_column(x + t * ldx, t);
  return n;
}

bool same_routing(const ExpertProduct& a, const ExpertProduct& b) {
  return a.expert == b.expert && a.row == b.row && a.n_entries == b.n_entries && a.n_experts == b.n_experts &&
         a.experts->cols == b.experts->cols;
}

/// Where the walk over the entries of all experts stands.
struct RoutingCursor {
  int expert = 0;
  int64_t entry = 0;
};

/// Fills the pass with entries in the order of their experts; one segment an expert.
void take_entries(MatmulPass& pass, const ExpertProduct& routing, const float* x, int64_t ldx, RoutingCursor& at) {
  pass.clear();
  for (; at.expert < routing.n_experts; ++at.expert, at.entry = 0) {
    bool open = false;
    for (; at.entry < routing.n_entries; ++at.entry) {
      if (routing.expert[at.entry] != at.expert) continue;
      if (pass.n_columns() == pass.capacity()) return;
      if (!open) pass.begin_segment(at.expert);
      open = true;
      pass.add_column(x + routing.row[at.entry] * ldx, at.entry);
    }
  }
}

/// One pass of products that share their routing.
void run_expert_pass(const MatmulContext& ctx, const MatmulPass& pass, std::span<const ExpertProduct> products) {
  int64_t tiles_per_segment = 0;
  int64_t tile_bytes = 0;
  for (const ExpertProduct& p : products) {
    tiles_per_segment += tiles_of(*p.experts);
    tile_bytes = std::max(tile_bytes, p.experts->row_bytes * kPanelRows);
  }
  for_tiles(ctx, tiles_per_segment * pass.n_segments(), tile_bytes, [&](int64_t index, int worker) {
    const PassSegment& segment = pass.segment(static_cast<int>(index / tiles_per_segment));
    int64_t tile = index % tiles_per_segment;
    const ExpertProduct* p = products.data();
    for (; tile >= tiles_of(*p->experts); ++p) tile -= tiles_of(*p->experts);
    const PassTile weights = tile_at(*p->experts, tile, segment.expert * p->expert_stride_bytes);
    const int64_t row = tile * kPanelRows;
    float* acc = pass.accumulator(worker, 0);
    pass.multiply(acc, weights, segment, worker);
    if (p->bias != nullptr) {
      add_tile_bias(segment, acc, p->bias + segment.expert * p->experts->rows + row, weights.n_rows);
    }
    store_tile(pass, segment, acc, weights.n_rows, p->out + row, p->ldo);
  });
}

}  // namespace

void matmul(const MatmulContext& ctx, const float* x, int64_t ldx, int64_t n_tokens,
            std::span<const Product> products) {
  if (products.empty()) return;
  int64_t n_tiles = 0;
  int64_t tile_bytes = 0;
  bool codes = false;
  for (const Product& p : products) {
    n_tiles += tiles_of(*p.w);
    tile_bytes = std::max(tile_bytes, p.w->row_bytes * kPanelRows);
    codes = codes || wants_codes(*p.w);
  }
  MatmulPass pass(ctx, products[0].w->cols);
  for (int64_t first = 0; first < n_tokens;) {
    first += take_tokens(pass, x, ldx, first, n_tokens);
    pass.pack(codes);
    for_tiles(ctx, n_tiles, tile_bytes, [&](int64_t tile, int worker) {
      const Product* p = products.data();
      for (; tile >= tiles_of(*p->w); ++p) tile -= tiles_of(*p->w);
      const PassTile weights = tile_at(*p->w, tile, 0);
      const int64_t row = tile * kPanelRows;
      float* acc = pass.accumulator(worker, 0);
      pass.multiply(acc, weights, pass.segment(0), worker);
      if (p->bias != nullptr) add_tile_bias(pass.segment(0), acc, p->bias + row, weights.n_rows);
      store_tile(pass, pass.segment(0), acc, weights.n_rows, p->out + row, p->ldo);
    });
  }
}

void matmul_gated(const MatmulContext& ctx, const float* x, int64_t ldx, int64_t n_tokens,
                  const GatedProduct& product) {
  const Matrix& gate = *product.gate;
  const Matrix& up = *product.up;
  MatmulPass pass(ctx, gate.cols);
  for (int64_t first = 0; first < n_tokens;) {
    first += take_tokens(pass, x, ldx, first, n_tokens);
    pass.pack(wants_codes(gate) || wants_codes(up));
    const PassSegment& segment = pass.segment(0);
    for_tiles(ctx, tiles_of(gate), (gate.row_bytes + up.row_bytes) * kPanelRows, [&](int64_t tile, int worker) {
      const int64_t row = tile * kPanelRows;
      const PassTile gate_tile = tile_at(gate, tile, 0);
      float* g = pass.accumulator(worker, 0);
      float* u = pass.accumulator(worker, 1);
      pass.multiply(g, gate_tile, segment, worker);
      pass.multiply(u, tile_at(up, tile, 0), segment, worker);
      if (product.gate_bias != nullptr) add_tile_bias(segment, g, product.gate_bias + row, gate_tile.n_rows);
      if (product.up_bias != nullptr) add_tile_bias(segment, u, product.up_bias + row, gate_tile.n_rows);
      kernels::kernels().gate_mul(g, g, u, int64_t{segment.n_cols} * kPanelRows, product.kind);
      store_tile(pass, segment, g, gate_tile.n_rows, product.out + row, product.ldo);
    });
  }
}

void matmul_experts(const MatmulContext& ctx, const float* x, int64_t ldx, [[maybe_unused]] int64_t n_tokens,
                    std::span<const ExpertProduct> products) {
  for (size_t first = 0; first < products.size();) {
    size_t end = first + 1;
    while (end < products.size() && same_routing(products[first], products[end])) ++end;
    const std::span<const ExpertProduct> shared = products.subspan(first, end - first);
    bool codes = false;
    for (const ExpertProduct& p : shared) codes = codes || wants_codes(*p.experts);
    MatmulPass pass(ctx, shared[0].experts->cols);
    for (RoutingCursor at; at.expert < shared[0].n_experts;) {
      take_entries(pass, shared[0], x, ldx, at);
      pass.pack(codes);
      run_expert_pass(ctx, pass, shared);
    }
    first = end;
  }
}

}  // namespace hearth
