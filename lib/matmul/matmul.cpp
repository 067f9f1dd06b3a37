// Matrix products over threads: which tokens form a pass, which row tiles form a task, and what becomes of a
// finished tile (bias, gate, place in the output).
#include "lib/matmul/matmul.h"

#include <algorithm>
#include <utility>

#include "lib/matmul/matmul_pass.h"
#include "lib/matmul/tile_queue.h"

namespace hearth {
namespace {

int64_t tiles_of(const MatmulPass& pass, const Matrix& w) {
  const int tile_rows = pass.tile_rows(w.rows, w.row_bytes);
  return (w.rows + tile_rows - 1) / tile_rows;
}

PassTile tile_at(const MatmulPass& pass, const Matrix& w, int64_t tile) {
  const int tile_rows = pass.tile_rows(w.rows, w.row_bytes);
  const int64_t row = tile * tile_rows;
  return {&w, w.data + row * w.row_bytes, row, static_cast<int>(std::min<int64_t>(tile_rows, w.rows - row)), w.scale};
}

/// Of the matrix of an expert; without experts, of number 0.
PassTile tile_at(const MatmulPass& pass, const Product& p, int expert, int64_t tile) {
  PassTile placed = tile_at(pass, *p.w, tile);
  placed.data =
      (p.parts != nullptr ? p.parts[expert] : p.w->data + expert * p.expert_stride_bytes) + placed.row * p.w->row_bytes;
  if (p.scales != nullptr) placed.scale *= p.scales[expert];
  return placed;
}

bool fits(const MatmulContext& ctx, int64_t k) {
  return ctx.scratch->fits(k, ctx.parallel->n_threads());
}

/// What rows of a matrix meet.
PackedForms forms_for(const MatmulContext& ctx, const Matrix& w) {
  const kernels::KernelTable& table = kernels::kernels();
  const auto type = static_cast<int>(w.type);
  const bool codes = table.types[type].kind != kernels::PanelKind::kFloat;
  return {codes && !ctx.exact_products, !codes && table.matmul.wide.split[type] != nullptr};
}
PackedForms either(const PackedForms& a, const PackedForms& b) {
  return {a.codes || b.codes, a.halves || b.halves};
}

/// Where a worker will begin in the product that follows; nullptr when nothing is said of it.
const std::byte* following_data(const MatmulContext& ctx, const Following& following, const MatmulPass& pass,
                                int worker) {
  const int n_threads = ctx.parallel->n_threads();
  int64_t n_tiles = 0;
  for (const Matrix* w : following) n_tiles += (w != nullptr) ? tiles_of(pass, *w) : 0;
  if (n_tiles == 0) return nullptr;
  const int partition = worker % TileQueue::count(n_tiles, n_threads);
  int64_t tile = TileQueue::begin(n_tiles, n_threads, partition);
  for (const Matrix* w : following) {
    if (w == nullptr) continue;
    if (tile < tiles_of(pass, *w)) return tile_at(pass, *w, tile).data;
    tile -= tiles_of(pass, *w);
  }
  return nullptr;
}

/// Runs body(tile, next, worker) for every tile in [0, n_tiles); next is the tile that probably follows, or -1. A
/// worker begins with the partition of its own number.
template <typename Body>
void for_tiles(const MatmulContext& ctx, int64_t n_tiles, const Body& body) {
  TileQueue queue(n_tiles, ctx.parallel->n_threads());
  ctx.parallel->run(queue.n_partitions(), [&](int, int worker) {
    queue.drain(worker % queue.n_partitions(), [&](int64_t tile, int64_t next) { body(tile, next, worker); });
  });
}

/// Tokens whose output lines are fetched: they are far apart and mostly not in the near caches.
constexpr int kAhead = 8;

/// Copies a finished tile to the output rows of its tokens.
void store_tile(const MatmulPass& pass, const PassSegment& segment, const float* acc, int n_rows, float* out,
                int64_t ldo) {
  for (int t = 0; t < segment.n_tokens; ++t) {
    const PassToken* token = &pass.token(segment.first_token + t);
    if (t + kAhead < segment.n_tokens) {
      float* later = out + token[kAhead].out_row * ldo;
      for (int row = 0; row < n_rows; row += 16) __builtin_prefetch(later + row, 1);
    }
    for (int row = 0; row < n_rows; row += kernels::kPanelRows) {
      std::copy_n(acc + MatmulPass::at(row, segment.n_tokens, t), std::min(kernels::kPanelRows, n_rows - row),
                  out + token->out_row * ldo + row);
    }
  }
}

/// gate(g) * u, made in the place of g, to the activations of a wide product.
void pack_gated(const PassSegment& segment, float* g, const float* u, const PassTile& tile,
                const GatedProduct& product) {
  constexpr int kTokens = 32;  // what they take stays in the first-level cache
  const kernels::KernelTable& table = kernels::kernels();
  const kernels::WideActs acts = {product.wide, segment.n_tokens, product.up.w->rows};
  for (int row = 0; row < tile.n_rows; row += kernels::kPanelRows) {
    for (int t = 0; t < segment.n_tokens; t += kTokens) {
      const int n = std::min(kTokens, segment.n_tokens - t);
      const int64_t at = MatmulPass::at(row, segment.n_tokens, t);
      table.gate_mul(g + at, g + at, u + at, int64_t{n} * kernels::kPanelRows, product.kind);
      table.matmul.wide.pack_step(acts, (tile.row + row) / kernels::kWideStep, t, n, g + at);
    }
  }
}

/// gate(g) * u to the output rows of the tokens.
void store_gated(const MatmulPass& pass, const PassSegment& segment, float* g, const float* u, const PassTile& tile,
                 const GatedProduct& product) {
  if (product.wide != nullptr) return pack_gated(segment, g, u, tile, product);
  const kernels::KernelTable& table = kernels::kernels();
  for (int t = 0; t < segment.n_tokens; ++t) {
    const PassToken* token = &pass.token(segment.first_token + t);
    float* out = product.up.out + tile.row;
    if (t + kAhead < segment.n_tokens) {
      float* later = out + token[kAhead].out_row * product.up.ldo;
      for (int row = 0; row < tile.n_rows; row += 16) __builtin_prefetch(later + row, 1);
    }
    out += token->out_row * product.up.ldo;
    for (int row = 0; row < tile.n_rows; row += kernels::kPanelRows) {
      const int64_t at = MatmulPass::at(row, segment.n_tokens, t);
      table.gate_mul(out + row, g + at, u + at, std::min(kernels::kPanelRows, tile.n_rows - row), product.kind);
    }
  }
}

/// Adds a tile, times the tokens' weights, to their output rows.
void add_weighted(const MatmulPass& pass, const PassSegment& segment, const float* acc, const PassTile& tile,
                  const Product& p, const EntryWeights& weights) {
  const auto axpy = kernels::kernels().axpy;
  for (int t = 0; t < segment.n_tokens; ++t) {
    const auto entry = static_cast<uint32_t>(pass.token(segment.first_token + t).out_row);
    float* out = p.out + int64_t{entry / weights.per_row} * p.ldo + tile.row;
    for (int row = 0; row < tile.n_rows; row += kernels::kPanelRows) {
      axpy(out + row, weights.weight[entry], acc + MatmulPass::at(row, segment.n_tokens, t),
           std::min(kernels::kPanelRows, tile.n_rows - row));
    }
  }
}

/// Adds a bias to every token of a tile.
void add_tile_bias(const PassSegment& segment, float* acc, const float* bias, int n_rows) {
  for (int row = 0; row < n_rows; row += kernels::kPanelRows, bias += kernels::kPanelRows) {
    const int n = std::min(kernels::kPanelRows, n_rows - row);
    for (int t = 0; t < segment.n_tokens; ++t, acc += kernels::kPanelRows) {
      for (int r = 0; r < n; ++r) acc[r] += bias[r];
    }
  }
}

/// What is added to a tile before it is stored: a bias, and what adapters make of the tokens.
void finish_tile(const MatmulPass& pass, float* acc, const PassTile& tile, const PassSegment& segment, int worker,
                 const Product& p) {
  if (p.bias != nullptr) add_tile_bias(segment, acc, p.bias + segment.expert * p.w->rows + tile.row, tile.n_rows);
  for (const LowRankUpdate& update : p.updates) pass.add_update(acc, tile, segment, worker, update);
}

/// Fills the pass with tokens [first, ...) as one segment; returns how many it took.
int64_t take_tokens(MatmulPass& pass, const Activations& x, int64_t first) {
  const int64_t n = std::min<int64_t>(x.n - first, pass.capacity());
  pass.clear();
  pass.begin_segment(0);
  for (int64_t t = first; t < first + n; ++t) pass.add_token(x.x + t * x.ld, t);
  return n;
}

/// Where the walk over the entries of all experts stands.
struct RoutingCursor {
  int expert = 0;    ///< n_experts: at the end
  size_t entry = 0;  ///< with an order: its index there
};

/// Entries in their order, until the pass is full.
void take_in_order(MatmulPass& pass, const Routing& routing, const Activations& x, RoutingCursor& at) {
  int segment_of = -1;
  for (; at.entry < routing.order.size(); ++at.entry) {
    const auto entry = static_cast<size_t>(routing.order[at.entry]);
    const int expert = routing.expert[entry];
    if (expert < 0) continue;
    if (pass.n_tokens() == pass.capacity()) return;
    if (expert != segment_of) {
      segment_of = expert;
      pass.begin_segment(expert);
    }
    pass.add_token(x.x + routing.row[entry] * x.ld, static_cast<int64_t>(entry));
  }
  at.expert = routing.n_experts;
}

/// Fills the pass with entries in the order of their experts; one segment per expert.
void take_entries(MatmulPass& pass, const Routing& routing, const Activations& x, RoutingCursor& at) {
  pass.clear();
  if (!routing.order.empty()) return take_in_order(pass, routing, x, at);
  for (; at.expert < routing.n_experts; ++at.expert, at.entry = 0) {
    bool open = false;
    for (; at.entry < routing.expert.size(); ++at.entry) {
      if (routing.expert[at.entry] != at.expert) continue;
      if (pass.n_tokens() == pass.capacity()) return;
      if (!open) pass.begin_segment(at.expert);
      open = true;
      pass.add_token(x.x + routing.row[at.entry] * x.ld, static_cast<int64_t>(at.entry));
    }
  }
}

/// Every segment of the pass times the matrices of its expert. `in_order`: the pass has one segment, whose tokens have
/// output rows that follow one another.
void run_pass(const MatmulContext& ctx, const MatmulPass& pass, std::span<const Product> products, bool in_order,
              const Following& following) {
  int64_t per_segment = 0;
  for (const Product& p : products) per_segment += tiles_of(pass, *p.w);
  auto place = [&](int64_t index) {
    const PassSegment& segment = pass.segment(static_cast<int>(index / per_segment));
    int64_t tile = index % per_segment;
    const Product* p = products.data();
    for (; tile >= tiles_of(pass, *p->w); ++p) tile -= tiles_of(pass, *p->w);
    return std::pair(p, tile_at(pass, *p, segment.expert, tile));
  };
  for_tiles(ctx, per_segment * pass.n_segments(), [&](int64_t index, int64_t next, int worker) {
    const PassSegment& segment = pass.segment(static_cast<int>(index / per_segment));
    const auto [p, tile] = place(index);
    float* acc = pass.accumulator(worker, 0);
    DirectOutput direct;
    if (in_order && p->bias == nullptr && p->updates.empty()) {
      direct = {p->out + pass.token(segment.first_token).out_row * p->ldo + tile.row, p->ldo};
    }
    const std::byte* next_tile = next < 0 ? following_data(ctx, following, pass, worker) : place(next).second.data;
    if (pass.multiply(acc, tile, segment, worker, {next_tile}, direct)) return;
    finish_tile(pass, acc, tile, segment, worker, *p);
    store_tile(pass, segment, acc, tile.n_rows, p->out + tile.row, p->ldo);
  });
}

void run_gated_pass(const MatmulContext& ctx, const MatmulPass& pass, const GatedProduct& product,
                    const Following& following) {
  const Product &gate = product.gate, &up = product.up;
  const int64_t per_segment = tiles_of(pass, *gate.w);
  for_tiles(ctx, per_segment * pass.n_segments(), [&](int64_t index, int64_t next, int worker) {
    const PassSegment& segment = pass.segment(static_cast<int>(index / per_segment));
    const PassTile gate_tile = tile_at(pass, gate, segment.expert, index % per_segment);
    const PassTile up_tile = tile_at(pass, up, segment.expert, index % per_segment);
    float* g = pass.accumulator(worker, 0);
    float* u = pass.accumulator(worker, 1);
    const std::byte* next_tile =
        next < 0
            ? following_data(ctx, following, pass, worker)
            : tile_at(pass, gate, pass.segment(static_cast<int>(next / per_segment)).expert, next % per_segment).data;
    pass.multiply_both(g, gate_tile, u, up_tile, segment, worker, next_tile);
    finish_tile(pass, g, gate_tile, segment, worker, gate);
    finish_tile(pass, u, up_tile, segment, worker, up);
    store_gated(pass, segment, g, u, gate_tile, product);
  });
}

/// A tile of rows meets the segments one after the other, so that nobody else adds to these rows.
void run_sum_pass(const MatmulContext& ctx, const MatmulPass& pass, const Product& p, const EntryWeights& weights,
                  const Following& following) {
  for_tiles(ctx, tiles_of(pass, *p.w), [&](int64_t index, int64_t next, int worker) {
    const auto data_of = [&](int segment, int64_t tile) {
      return tile_at(pass, p, pass.segment(segment).expert, tile).data;
    };
    for (int i = 0; i < pass.n_segments(); ++i) {
      const PassSegment& segment = pass.segment(i);
      const PassTile tile = tile_at(pass, p, segment.expert, index);
      const std::byte* next_tile = i + 1 < pass.n_segments() ? data_of(i + 1, index)
                                   : next >= 0               ? data_of(0, next)
                                                             : following_data(ctx, following, pass, worker);
      float* acc = pass.accumulator(worker, 0);
      pass.multiply(acc, tile, segment, worker, {next_tile});
      finish_tile(pass, acc, tile, segment, worker, p);
      add_weighted(pass, segment, acc, tile, p, weights);
    }
  });
}

PackedForms forms_for(const MatmulContext& ctx, std::span<const Product> products) {
  PackedForms forms;
  for (const Product& p : products) forms = either(forms, forms_for(ctx, *p.w));
  return forms;
}
PackedForms forms_for(const MatmulContext& ctx, const GatedProduct& product) {
  return either(forms_for(ctx, *product.gate.w), forms_for(ctx, *product.up.w));
}

}  // namespace

void matmul(const MatmulContext& ctx, const Activations& x, std::span<const Product> products,
            const Following& following) {
  if (products.empty() || !fits(ctx, products[0].w->cols)) return;
  MatmulPass pass(ctx, products[0].w->cols);
  for (int64_t first = 0; first < x.n;) {
    first += take_tokens(pass, x, first);
    if (x.wide != nullptr) {
      pass.adopt(x.wide);
    } else {
      pass.pack(forms_for(ctx, products));
    }
    run_pass(ctx, pass, products, true, following);
  }
}

bool takes_wide_rows(const MatmulContext& ctx, const Matrix& w, int64_t n) {
  const MatmulPass pass(ctx, w.cols);
  return n <= pass.capacity() && pass.takes_wide(n) && forms_for(ctx, w).codes;
}

void matmul_gated(const MatmulContext& ctx, const Activations& x, const GatedProduct& product,
                  const Following& following) {
  if (!fits(ctx, product.gate.w->cols)) return;
  MatmulPass pass(ctx, product.gate.w->cols, 2);
  for (int64_t first = 0; first < x.n;) {
    first += take_tokens(pass, x, first);
    pass.pack(forms_for(ctx, product));
    run_gated_pass(ctx, pass, product, following);
  }
}

void matmul_experts(const MatmulContext& ctx, const Activations& x, const Routing& routing,
                    std::span<const Product> products, const Following& following) {
  if (products.empty() || !fits(ctx, products[0].w->cols)) return;
  MatmulPass pass(ctx, products[0].w->cols);
  for (RoutingCursor at; at.expert < routing.n_experts;) {
    take_entries(pass, routing, x, at);
    pass.pack(forms_for(ctx, products));
    run_pass(ctx, pass, products, false, following);
  }
}

void matmul_gated_experts(const MatmulContext& ctx, const Activations& x, const Routing& routing,
                          const GatedProduct& product) {
  if (!fits(ctx, product.gate.w->cols)) return;
  MatmulPass pass(ctx, product.gate.w->cols, 2);
  for (RoutingCursor at; at.expert < routing.n_experts;) {
    take_entries(pass, routing, x, at);
    pass.pack(forms_for(ctx, product));
    run_gated_pass(ctx, pass, product, {});
  }
}

void matmul_expert_sums(const MatmulContext& ctx, const Activations& x, const Routing& routing, const Product& product,
                        const EntryWeights& weights, const Following& following) {
  if (!fits(ctx, product.w->cols)) return;
  MatmulPass pass(ctx, product.w->cols);
  for (RoutingCursor at; at.expert < routing.n_experts;) {
    take_entries(pass, routing, x, at);
    pass.pack(forms_for(ctx, *product.w));
    run_sum_pass(ctx, pass, product, weights, following);
  }
}

}  // namespace hearth
