// Matrix products over threads: which tokens form a pass, which row tiles form a task, and what becomes of a
// finished tile (bias, gate, place in the output).
#include "lib/matmul/matmul.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "lib/matmul/matmul_pass.h"
#include "lib/matmul/tile_queue.h"

namespace hearth {
namespace {

int64_t tiles_of(const MatmulPass& pass, const Matrix& w) {
  const int tile_rows = pass.tile_rows(w.rows, w.row_bytes);
  return (w.rows + tile_rows - 1) / tile_rows;
}

/// `data` is that of w, or of another matrix of its shape.
PassTile tile_at(const MatmulPass& pass, const Matrix& w, const std::byte* data, int64_t tile) {
  const int tile_rows = pass.tile_rows(w.rows, w.row_bytes);
  const int64_t row = tile * tile_rows;
  return {&w, data + row * w.row_bytes, row, static_cast<int>(std::min<int64_t>(tile_rows, w.rows - row)), w.scale};
}

bool fits(const MatmulContext& ctx, int64_t k) {
  return ctx.scratch->fits(k, ctx.parallel->n_threads());
}

/// What these matrices meet.
PackedForms forms_for(const MatmulContext& ctx, std::initializer_list<const Matrix*> matrices) {
  const kernels::KernelTable& table = kernels::kernels();
  PackedForms forms;
  for (const Matrix* w : matrices) {
    const auto type = static_cast<int>(w->type);
    const bool codes = table.types[type].kind != kernels::PanelKind::kFloat;
    forms.codes = forms.codes || (codes && !ctx.exact_products);
    forms.halves = forms.halves || (!codes && table.matmul.wide.split[type] != nullptr);
  }
  return forms;
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
    if (tile < tiles_of(pass, *w)) return tile_at(pass, *w, w->data, tile).data;
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

constexpr int kAhead =
    8;  // tokens whose output lines are fetched: they are far apart and mostly not in the near caches

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

/// gate(g) * u to the output rows of the tokens, which follow one another from the segment's first on.
void store_gated(const MatmulPass& pass, const PassSegment& segment, const float* g, const float* u,
                 const PassTile& tile, const GatedProduct& product) {
  const kernels::KernelTable& table = kernels::kernels();
  for (int t = 0; t < segment.n_tokens; ++t) {
    float* out = product.out + pass.token(segment.first_token + t).out_row * product.ldo + tile.row;
    if (t + kAhead < segment.n_tokens) {
      for (int i = 0; i < tile.n_rows; i += 16) __builtin_prefetch(out + kAhead * product.ldo + i, 1);
    }
    for (int row = 0; row < tile.n_rows; row += kernels::kPanelRows) {
      const int64_t at = MatmulPass::at(row, segment.n_tokens, t);
      table.gate_mul(out + row, g + at, u + at, std::min(kernels::kPanelRows, tile.n_rows - row), product.kind);
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
                 const float* bias, std::span<const LowRankUpdate> updates) {
  if (bias != nullptr) add_tile_bias(segment, acc, bias + tile.row, tile.n_rows);
  for (const LowRankUpdate& update : updates) pass.add_update(acc, tile, segment, worker, update);
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
  int expert = 0;
  size_t entry = 0;
};

/// Fills the pass with entries in the order of their experts; one segment per expert.
void take_entries(MatmulPass& pass, const Routing& routing, const Activations& x, RoutingCursor& at) {
  pass.clear();
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

const std::byte* expert_data(const ExpertProduct& p, int expert) {
  return p.parts != nullptr ? p.parts[expert] : p.experts->data + expert * p.expert_stride_bytes;
}

/// One pass of products that share their routing.
void run_expert_pass(const MatmulContext& ctx, const MatmulPass& pass, std::span<const ExpertProduct> products) {
  int64_t tiles_per_segment = 0;
  for (const ExpertProduct& p : products) tiles_per_segment += tiles_of(pass, *p.experts);
  auto place = [&](int64_t index) {
    const PassSegment& segment = pass.segment(static_cast<int>(index / tiles_per_segment));
    int64_t tile = index % tiles_per_segment;
    const ExpertProduct* p = products.data();
    for (; tile >= tiles_of(pass, *p->experts); ++p) tile -= tiles_of(pass, *p->experts);
    PassTile placed = tile_at(pass, *p->experts, expert_data(*p, segment.expert), tile);
    if (p->scales != nullptr) placed.scale *= p->scales[segment.expert];
    return std::pair(p, placed);
  };
  for_tiles(ctx, tiles_per_segment * pass.n_segments(), [&](int64_t index, int64_t next, int worker) {
    const PassSegment& segment = pass.segment(static_cast<int>(index / tiles_per_segment));
    const auto [p, tile] = place(index);
    float* acc = pass.accumulator(worker, 0);
    pass.multiply(acc, tile, segment, worker, {next < 0 ? nullptr : place(next).second.data});
    const float* bias = p->bias != nullptr ? p->bias + segment.expert * p->experts->rows : nullptr;
    finish_tile(pass, acc, tile, segment, worker, bias, p->updates);
    store_tile(pass, segment, acc, tile.n_rows, p->out + tile.row, p->ldo);
  });
}

}  // namespace

void matmul(const MatmulContext& ctx, const Activations& x, std::span<const Product> products,
            const Following& following) {
  if (products.empty() || !fits(ctx, products[0].w->cols)) return;
  PackedForms forms;
  for (const Product& p : products) forms = either(forms, forms_for(ctx, {p.w}));
  MatmulPass pass(ctx, products[0].w->cols);
  auto place = [&](int64_t index) {
    const Product* p = products.data();
    for (; index >= tiles_of(pass, *p->w); ++p) index -= tiles_of(pass, *p->w);
    return std::pair(p, tile_at(pass, *p->w, p->w->data, index));
  };
  for (int64_t first = 0; first < x.n;) {
    first += take_tokens(pass, x, first);
    pass.pack(forms);
    const PassSegment& segment = pass.segment(0);
    int64_t n_tiles = 0;
    for (const Product& p : products) n_tiles += tiles_of(pass, *p.w);
    for_tiles(ctx, n_tiles, [&](int64_t index, int64_t next, int worker) {
      const auto [p, tile] = place(index);
      float* acc = pass.accumulator(worker, 0);
      DirectOutput direct;
      if (p->bias == nullptr && p->updates.empty()) {
        direct = {p->out + pass.token(segment.first_token).out_row * p->ldo + tile.row, p->ldo};
      }
      if (pass.multiply(acc, tile, segment, worker,
                        {next < 0 ? following_data(ctx, following, pass, worker) : place(next).second.data}, direct)) {
        return;
      }
      finish_tile(pass, acc, tile, segment, worker, p->bias, p->updates);
      store_tile(pass, segment, acc, tile.n_rows, p->out + tile.row, p->ldo);
    });
  }
}

void matmul_gated(const MatmulContext& ctx, const Activations& x, const GatedProduct& product,
                  const Following& following) {
  const Matrix& gate = *product.gate;
  const Matrix& up = *product.up;
  if (!fits(ctx, gate.cols)) return;
  MatmulPass pass(ctx, gate.cols, 2);
  for (int64_t first = 0; first < x.n;) {
    first += take_tokens(pass, x, first);
    pass.pack(forms_for(ctx, {&gate, &up}));
    const PassSegment& segment = pass.segment(0);
    for_tiles(ctx, tiles_of(pass, gate), [&](int64_t index, int64_t next, int worker) {
      const PassTile gate_tile = tile_at(pass, gate, gate.data, index);
      const PassTile up_tile = tile_at(pass, up, up.data, index);
      float* g = pass.accumulator(worker, 0);
      float* u = pass.accumulator(worker, 1);
      pass.multiply_both(
          g, gate_tile, u, up_tile, segment, worker,
          next < 0 ? following_data(ctx, following, pass, worker) : tile_at(pass, gate, gate.data, next).data);
      finish_tile(pass, g, gate_tile, segment, worker, product.gate_bias, product.gate_updates);
      finish_tile(pass, u, up_tile, segment, worker, product.up_bias, product.up_updates);
      store_gated(pass, segment, g, u, gate_tile, product);
    });
  }
}

void matmul_experts(const MatmulContext& ctx, const Activations& x, const Routing& routing,
                    std::span<const ExpertProduct> products) {
  if (products.empty() || !fits(ctx, products[0].experts->cols)) return;
  PackedForms forms;
  for (const ExpertProduct& p : products) forms = either(forms, forms_for(ctx, {p.experts}));
  MatmulPass pass(ctx, products[0].experts->cols);
  for (RoutingCursor at; at.expert < routing.n_experts;) {
    take_entries(pass, routing, x, at);
    pass.pack(forms);
    run_expert_pass(ctx, pass, products);
  }
}

}  // namespace hearth
