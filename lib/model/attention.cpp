// The attention stage: project, normalise and rotate queries and keys, store the cells, attend over pages, project out.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "lib/model/attention_shape.h"
#include "lib/model/forward.h"

namespace hearth {
namespace {

using kernels::AttentionState;
using kernels::kernels;
using kernels::kPageTokens;

/// Offsets into a row of scratch.qkv.
struct QkvRow {
  int64_t k, v, width;
  explicit QkvRow(const LayerShape& s)
      : k(int64_t{s.n_heads} * s.k_dim),
        v(k + int64_t{s.n_kv_heads} * s.k_dim),
        width(v + int64_t{s.n_kv_heads} * s.v_dim) {}
};

/// q = h Wq, k = h Wk, v = h Wv in one fork-join.
void project(const ForwardContext& c, const LayerWeights& w, const QkvRow& row, int n) {
  float* qkv = c.scratch->qkv;
  const Product products[3] = {{&w.q.w, qkv, row.width, w.q.bias()},
                               {&w.k.w, qkv + row.k, row.width, w.k.bias()},
                               {&w.v.w, qkv + row.v, row.width, w.v.bias()}};
  matmul(c.matmul, c.scratch->h, c.hp->d_model, n, products);
}

/// Normalises heads of one row, each by itself or all together, as the norm's length says.
void norm_heads(const ForwardContext& c, float* x, const Norm& norm, int n_heads, int dim) {
  if (!norm) return;
  const auto width = static_cast<int64_t>(norm.w.size());
  for (int64_t at = 0; at < int64_t{n_heads} * dim; at += width) {
    kernels().rms_norm(x + at, x + at, norm.w.data(), width, c.hp->norm_eps);
  }
}

void rotate_heads(const ForwardContext& c, float* x, int rope, int t, int n_heads, int dim) {
  if (rope < 0) return;
  const int n_rot = c.ropes[static_cast<size_t>(rope)].n_rot;
  const float* cs = c.scratch->cos_sin[rope] + int64_t{t} * n_rot;
  const auto rotate = c.arch->rope == RopeLayout::kPairs ? kernels().rope_pairs : kernels().rope_halves;
  for (int h = 0; h < n_heads; ++h) rotate(x + int64_t{h} * dim, cs, n_rot);
}

kernels::AttentionShape kernel_shape(const ForwardContext& c, const LayerShape& shape) {
  return {shape.k_dim, shape.v_dim, c.cell_type, c.cell_type, c.hp->attention_soft_cap};
}

/// Norms and rotates q and k of every token, and writes k and v into the token's page.
void position_and_store(const ForwardContext& c, int layer, const QkvRow& row, std::span<const BatchToken> batch) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const LayerShape& shape = c.hp->layers[static_cast<size_t>(layer)];
  const auto cell_shape = kernel_shape(c, shape);
  for_rows(c, static_cast<int>(batch.size()), row.width, [&](int t) {
    const BatchToken& token = batch[static_cast<size_t>(t)];
    float* q = c.scratch->qkv + t * row.width;
    float* k = q + row.k;
    norm_heads(c, q, w.q_norm, shape.n_heads, shape.k_dim);
    norm_heads(c, k, w.k_norm, shape.n_kv_heads, shape.k_dim);
    rotate_heads(c, q, shape.rope, t, shape.n_heads, shape.k_dim);
    rotate_heads(c, k, shape.rope, t, shape.n_kv_heads, shape.k_dim);
    const PageRef& ref = c.cache->table(layer, token.seq)[static_cast<size_t>(token.pos / kPageTokens)];
    for (int h = 0; h < shape.n_kv_heads; ++h) {
      kernels().store_kv(c.cache->page(layer, ref.page, h), cell_shape, token.pos % kPageTokens,
                         k + int64_t{h} * shape.k_dim, q + row.v + int64_t{h} * shape.v_dim);
    }
  });
}

/// A few neighbouring tokens of one sequence: the queries of one attention task, together with heads of a group.
struct TokenBlock {
  int first = 0;  ///< row of the batch
  int count = 0;
};

/// One attention task: these tokens, these query heads (all of one KV head's group).
struct Queries {
  TokenBlock tokens;
  int kv_head = 0;
  int first_head = 0;
  int n_heads = 0;
  int count() const { return tokens.count * n_heads; }
};

AttentionState state_at(float* memory, int nq) {
  return {memory, memory + nq, memory + 2 * int64_t{nq}};
}

void reset(const AttentionState& state, int nq, int v_dim) {
  std::fill_n(state.max, nq, -std::numeric_limits<float>::infinity());
  std::fill_n(state.sum, nq, 0.0f);
  std::fill_n(state.acc, int64_t{nq} * v_dim, 0.0f);
}

/// total = total (+) part, the rule of the online softmax.
void merge(const AttentionState& total, const AttentionState& part, int nq, int v_dim) {
  for (int i = 0; i < nq; ++i) {
    if (part.sum[i] == 0.0f) continue;
    const float max = std::max(total.max[i], part.max[i]);
    const float keep = std::exp(total.max[i] - max);
    const float take = std::exp(part.max[i] - max);
    float* acc = total.acc + int64_t{i} * v_dim;
    kernels().scale(acc, keep, v_dim);
    kernels().axpy(acc, take, part.acc + int64_t{i} * v_dim, v_dim);
    total.sum[i] = total.sum[i] * keep + part.sum[i] * take;
    total.max[i] = max;
  }
}

/// Attention of one layer over one batch, cut into tasks.
class PagedAttention {
 public:
  PagedAttention(const ForwardContext& c, int layer, std::span<const BatchToken> batch)
      : c_(c),
        layer_(layer),
        batch_(batch),
        shape_(c.hp->layers[static_cast<size_t>(layer)]),
        row_(shape_),
        kernel_shape_(kernel_shape(c, shape_)) {
    group_ = shape_.n_heads / shape_.n_kv_heads;
    heads_per_task_ = std::min(group_, ::hearth::kernels::kAttendMaxQueries);
    tasks_per_kv_head_ = (group_ + heads_per_task_ - 1) / heads_per_task_;
    cut_blocks();
  }

  void run() {
    if (single_tokens_ && longest_pieces_ > 1 && group_ == heads_per_task_) {
      run_pieces();
    } else {
      run_blocks();
    }
  }

 private:
  /// Blocks of neighbouring tokens, as many as fit a task.
  void cut_blocks() {
    const int per_block = std::max(1, ::hearth::kernels::kAttendMaxQueries / heads_per_task_);
    for (size_t t = 0; t < batch_.size(); ++t) {
      const bool joins =
          t > 0 && batch_[t].seq == batch_[t - 1].seq && !blocks_.empty() && blocks_.back().count < per_block;
      if (joins) {
        ++blocks_.back().count;
      } else {
        blocks_.push_back({static_cast<int>(t), 1});
      }
      const int64_t seen = c_.causal ? batch_[t].pos + 1 : static_cast<int64_t>(c_.cache->options.n_ctx);
      longest_pieces_ = std::max(longest_pieces_, static_cast<int>(attention_pieces(seen)));
    }
    single_tokens_ = blocks_.size() == batch_.size() && static_cast<int>(batch_.size()) <= c_.cache->options.n_seqs;
  }

  Queries queries(int task) const {
    const int part = task % tasks_per_kv_head_;
    const int kv_head = task / tasks_per_kv_head_ % shape_.n_kv_heads;
    const int block = task / tasks_per_kv_head_ / shape_.n_kv_heads;
    const int first = part * heads_per_task_;
    return {blocks_[static_cast<size_t>(block)], kv_head, kv_head * group_ + first,
            std::min(heads_per_task_, group_ - first)};
  }
  int n_query_tasks() const { return static_cast<int>(blocks_.size()) * shape_.n_kv_heads * tasks_per_kv_head_; }

  /// One task a block and KV head, all of its pieces in order.
  void run_blocks() {
    c_.parallel->run(n_query_tasks(), [&](int task, int worker) {
      const Queries q = queries(task);
      const AttentionWorkspace& space = c_.scratch->workers[static_cast<size_t>(worker)];
      gather(q, space);
      const AttentionState total = state_at(space.total, q.count());
      const AttentionState piece = state_at(space.piece, q.count());
      reset(total, q.count(), shape_.v_dim);
      const auto [begin, end] = page_range(q.tokens);
      for (int page = begin; page < end;) {
        const int stop = std::min(end, (page / kPagesPerPiece + 1) * kPagesPerPiece);
        reset(piece, q.count(), shape_.v_dim);
        attend(q, space, piece, page, stop);
        merge(total, piece, q.count(), shape_.v_dim);
        page = stop;
      }
      finish(q, total);
    });
  }

  /// Generation at depth: one token a sequence, so the pieces of its context are what is shared out.
  void run_pieces() {
    const int64_t state_floats = attention_state_floats(group_, shape_.v_dim);
    const int n_tasks = n_query_tasks() * longest_pieces_;
    c_.parallel->run(n_tasks, [&](int task, int worker) {
      const Queries q = queries(task / longest_pieces_);
      const int index = task % longest_pieces_;
      const AttentionWorkspace& space = c_.scratch->workers[static_cast<size_t>(worker)];
      const AttentionState piece = state_at(c_.scratch->partial + task * state_floats, group_);
      reset(piece, group_, shape_.v_dim);
      const auto [begin, end] = page_range(q.tokens);
      const int from = std::max(begin, index * kPagesPerPiece), to = std::min(end, (index + 1) * kPagesPerPiece);
      if (from >= to) return;
      gather(q, space);
      attend(q, space, piece, from, to);
    });
    for (int task = 0; task < n_query_tasks(); ++task) {
      const AttentionState total = state_at(c_.scratch->workers[0].total, group_);
      reset(total, group_, shape_.v_dim);
      for (int i = 0; i < longest_pieces_; ++i) {
        merge(total, state_at(c_.scratch->partial + (int64_t{task} * longest_pieces_ + i) * state_floats, group_),
              group_, shape_.v_dim);
      }
      finish(queries(task), total);
    }
  }

  /// The task's queries, scaled, one after the other: token by token, head by head.
  void gather(const Queries& q, const AttentionWorkspace& space) const {
    const float scale = c_.hp->score_scale(layer_);
    float* out = space.q;
    for (int t = q.tokens.first; t < q.tokens.first + q.tokens.count; ++t) {
      const float* heads = c_.scratch->qkv + t * row_.width + int64_t{q.first_head} * shape_.k_dim;
      for (int64_t i = 0; i < int64_t{q.n_heads} * shape_.k_dim; ++i) *out++ = heads[i] * scale;
    }
  }

  /// Pages that any token of the block can see.
  std::pair<int, int> page_range(const TokenBlock& tokens) const {
    const BatchToken& first = batch_[static_cast<size_t>(tokens.first)];
    const BatchToken& last = batch_[static_cast<size_t>(tokens.first + tokens.count - 1)];
    const auto n_pages = static_cast<int>(c_.cache->table(layer_, first.seq).size());
    const int begin = shape_.window > 0 ? std::max(0, first.pos - shape_.window + 1) / kPageTokens : 0;
    return {begin, c_.causal ? last.pos / kPageTokens + 1 : n_pages};
  }

  /// Slots of page `index` that a query at `pos` sees: held, not later than itself, inside its window.
  uint64_t visible(const PageRef& ref, int index, int32_t pos) const {
    const int64_t base = int64_t{index} * kPageTokens;
    uint64_t mask = ref.mask;
    const int64_t own = pos - base;  // the query's own slot, if it lies in this page
    if (c_.causal && own < 0) return 0;
    if (c_.causal && own < kPageTokens - 1) mask &= (uint64_t{2} << own) - 1;
    const int64_t hidden = shape_.window > 0 ? pos - shape_.window + 1 - base : 0;  // slots before this left the window
    if (hidden >= kPageTokens) return 0;
    if (hidden > 0) mask &= ~((uint64_t{1} << hidden) - 1);
    return mask;
  }

  /// Runs the queries over pages [begin, end) into `state`.
  void attend(const Queries& q, const AttentionWorkspace& space, const AttentionState& state, int begin,
              int end) const {
    const SeqId seq = batch_[static_cast<size_t>(q.tokens.first)].seq;
    const std::vector<PageRef>& table = c_.cache->table(layer_, seq);
    for (int index = begin; index < end; ++index) {
      const PageRef& ref = table[static_cast<size_t>(index)];
      if (ref.mask == 0) continue;
      uint64_t any = 0;
      for (int t = 0; t < q.tokens.count; ++t) {
        const uint64_t mask = visible(ref, index, batch_[static_cast<size_t>(q.tokens.first + t)].pos);
        any |= mask;
        std::fill_n(space.visible + t * q.n_heads, q.n_heads, mask);
      }
      if (any == 0) continue;
      kernels().attend_page(state, space.q, q.count(), c_.cache->page(layer_, ref.page, q.kv_head), kernel_shape_,
                            space.visible, nullptr, space.kernel);
    }
  }

  /// heads = acc / sum; a sink takes part in the sum only (gpt-oss: a learned score that attends to nothing).
  void finish(const Queries& q, const AttentionState& state) const {
    const Floats& sinks = c_.weights->layers[static_cast<size_t>(layer_)].sinks;
    for (int i = 0; i < q.count(); ++i) {
      const int t = q.tokens.first + i / q.n_heads;
      const int head = q.first_head + i % q.n_heads;
      float* out = c_.scratch->heads + (int64_t{t} * shape_.n_heads + head) * shape_.v_dim;
      float sum = state.sum[i], keep = 1.0f;
      if (!sinks.empty()) {
        const float sink = sinks[static_cast<size_t>(head)];
        const float max = std::max(state.max[i], sink);
        keep = std::exp(state.max[i] - max);
        sum = sum * keep + std::exp(sink - max);
      }
      std::memcpy(out, state.acc + int64_t{i} * shape_.v_dim, static_cast<size_t>(shape_.v_dim) * sizeof(float));
      kernels().scale(out, sum > 0.0f ? keep / sum : 0.0f, shape_.v_dim);
    }
  }

  const ForwardContext& c_;
  int layer_;
  std::span<const BatchToken> batch_;
  const LayerShape& shape_;
  QkvRow row_;
  ::hearth::kernels::AttentionShape kernel_shape_;
  int group_ = 1;
  int heads_per_task_ = 1;
  int tasks_per_kv_head_ = 1;
  int longest_pieces_ = 1;
  bool single_tokens_ = false;
  std::vector<TokenBlock> blocks_;
};

/// y[i] = heads[rows[i]] Wo.
void project_out(const ForwardContext& c, const LayerWeights& w, std::span<const int32_t> rows) {
  float* heads = c.scratch->heads;
  const int64_t width = w.o.w.cols;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == static_cast<int32_t>(i)) continue;
    std::memcpy(heads + static_cast<int64_t>(i) * width, heads + rows[i] * width,
                static_cast<size_t>(width) * sizeof(float));
  }
  const Product product{&w.o.w, c.scratch->y, c.hp->d_model, w.o.bias()};
  matmul(c.matmul, heads, width, static_cast<int64_t>(rows.size()), {&product, 1});
}

}  // namespace

void attention(const ForwardContext& c, int layer, std::span<const BatchToken> batch, std::span<const int32_t> rows) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const QkvRow row(c.hp->layers[static_cast<size_t>(layer)]);
  project(c, w, row, static_cast<int>(batch.size()));
  position_and_store(c, layer, row, batch);
  if (rows.empty()) return;
  PagedAttention(c, layer, batch).run();
  project_out(c, w, rows);
}

}  // namespace hearth
