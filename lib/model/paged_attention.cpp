// Attention of a batch over the pages of the cache, cut into tasks: softmax(q k^T * scale + mask) v.
#include "lib/model/paged_attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "lib/model/kv_split.h"

namespace hearth {
namespace {

using kernels::AttentionState;
using kernels::kernels;
using kernels::kPageTokens;
using kernels::KvPage;

/// Bits of slots [0, n) of a page; n may lie outside it.
uint64_t slots_below(int64_t n) {
  if (n <= 0) return 0;
  return n >= kPageTokens ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
}

/// From this number of queries of one KV head on, tokens of a sequence go through attend_run.
constexpr int kRunMinQueries = 24;
/// Pages handed to one attend_run call.
constexpr int kRunPages = 64;
/// Blocks are cut so that each thread has about this number of tasks, or more.
constexpr int kTasksPerThread = 8;

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
  std::memset(state.acc, 0, static_cast<size_t>(nq) * static_cast<size_t>(v_dim) * sizeof(float));
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
        blocks_(c.scratch->blocks),
        kernel_shape_(attention_shape(c, shape_)),
        // A query sees this many positions before and after its own.
        before_(c.arch->window_symmetric ? shape_.window / 2 : shape_.window - 1),
        after_(c.arch->window_symmetric ? shape_.window / 2 : std::numeric_limits<int32_t>::max()) {
    group_ = shape_.n_heads / shape_.n_kv_heads;
    may_run_ = !c.matmul.batch_invariant && c.k_type != ::hearth::kernels::KvType::kF32 &&
               c.v_type != ::hearth::kernels::KvType::kF32 && c.arch->alibi_max_bias <= 0;
    heads_per_task_ = std::min(group_, ::hearth::kernels::kAttendMaxQueries);
    tasks_per_kv_head_ = (group_ + heads_per_task_ - 1) / heads_per_task_;
    cut_blocks();
  }

  void run() {
    if (single_tokens_ && most_splits_ > 1 && group_ == heads_per_task_) {
      run_splits();
    } else {
      run_blocks();
    }
  }

  /// See attention_weights().
  void weights(int t, std::span<float> out, int64_t n_positions) const {
    std::fill(out.begin(), out.end(), -std::numeric_limits<float>::infinity());
    for (int task = 0; task < shape_.n_kv_heads * tasks_per_kv_head_; ++task) {
      Queries q = queries(task);
      q.tokens = {t, 1, false};
      write_scores(q, out, n_positions);
    }
    for (int head = 0; head < shape_.n_heads; ++head) {
      softmax_with_sink(out.subspan(static_cast<size_t>(head * n_positions), static_cast<size_t>(n_positions)), head);
    }
  }

 private:
  /// out[head, pos] = score of the position: the queries attend to it alone, and the running maximum is what they
  /// found.
  void write_scores(const Queries& q, std::span<float> out, int64_t n_positions) const {
    const AttentionWorkspace& space = c_.scratch->workers[0];
    const AttentionState state = state_at(space.total, q.count());
    const BatchToken& token = batch_[static_cast<size_t>(q.tokens.first)];
    const std::span<const PageRef> table = c_.cache->table(shape_.kv_layer, token.seq);
    const auto [begin, end] = page_range(q.tokens);
    for (int index = begin; index < end; ++index) {
      const PageRef& ref = table[static_cast<size_t>(index)];
      gather(q, space, ref.unturned);
      for (uint64_t slots = visible(ref, index, token.pos); slots != 0; slots &= slots - 1) {
        const int64_t pos = int64_t{index} * kPageTokens + std::countr_zero(slots);
        if (pos >= n_positions) continue;
        std::fill_n(space.visible, q.count(), slots & (~slots + 1));
        reset(state, q.count(), shape_.v_dim);
        attend_visible(q, space, state, c_.cache->page(shape_.kv_layer, ref.page, q.kv_head), index);
        for (int i = 0; i < q.count(); ++i)
          out[static_cast<size_t>((q.first_head + i) * n_positions + pos)] = state.max[i];
      }
    }
  }

  void softmax_with_sink(std::span<float> row, int head) const {
    const FloatArray& sinks = c_.weights->layers[static_cast<size_t>(layer_)].sinks;
    const bool has_sink = !sinks.empty();
    float max = has_sink ? sinks[static_cast<size_t>(head)] : -std::numeric_limits<float>::infinity();
    for (const float score : row) max = std::max(max, score);
    double sum = has_sink ? std::exp(double{sinks[static_cast<size_t>(head)]} - max) : 0.0;
    for (float& score : row) {
      score = std::isinf(score) ? 0.0f : std::exp(score - max);
      sum += double{score};
    }
    for (float& share : row) share = sum > 0 ? static_cast<float>(share / sum) : 0.0f;
  }

  /// Queries of a block: many share the decoding of a page, but every thread should find some tasks. What a query
  /// gets does not depend on its block.
  int block_queries() const {
    const int64_t queries = static_cast<int64_t>(batch_.size()) * shape_.n_heads;
    const int64_t share = queries / (int64_t{kTasksPerThread} * c_.parallel->n_threads());
    return static_cast<int>(
        std::clamp<int64_t>(share, ::hearth::kernels::kAttendMaxQueries, ::hearth::kernels::kRunMaxQueries));
  }

  /// Whether two tokens may be in one run.
  bool together(const BatchToken& a, const BatchToken& b) const {
    return a.seq == b.seq && (!c_.page_runs || a.pos / kPageTokens == b.pos / kPageTokens);
  }

  /// Blocks of neighboring tokens of one sequence, as many as fit a task. Which kernel a run of tokens takes depends on
  /// its length, not on how it is cut for the threads.
  void cut_blocks() {
    const auto n = static_cast<int>(batch_.size());
    for (int first = 0, last = 0; first < n; first = last) {
      while (last < n && together(batch_[static_cast<size_t>(first)], batch_[static_cast<size_t>(last)])) ++last;
      const bool run = may_run_ && (last - first) * heads_per_task_ >= kRunMinQueries;
      const int per_block =
          std::max(1, (run ? block_queries() : ::hearth::kernels::kAttendMaxQueries) / heads_per_task_);
      for (int t = first; t < last; t += per_block) blocks_[n_blocks_++] = {t, std::min(per_block, last - t), run};
    }
    for (const BatchToken& token : batch_) {
      const int64_t seen = c_.causal ? token.pos + 1 : static_cast<int64_t>(c_.cache->options.n_ctx);
      most_splits_ = std::max(most_splits_, static_cast<int>(kv_splits(seen)));
    }
    single_tokens_ = n_blocks_ == n && n <= c_.cache->options.n_seqs;
  }

  Queries queries(int task) const {
    const int part = task % tasks_per_kv_head_;
    const int kv_head = task / tasks_per_kv_head_ % shape_.n_kv_heads;
    // Later tokens see more: who comes to the short tasks in the end waits for no long one.
    const int block = n_blocks_ - 1 - task / tasks_per_kv_head_ / shape_.n_kv_heads;
    const int first = part * heads_per_task_;
    return {blocks_[block], kv_head, kv_head * group_ + first, std::min(heads_per_task_, group_ - first)};
  }
  int n_query_tasks() const { return n_blocks_ * shape_.n_kv_heads * tasks_per_kv_head_; }

  /// One task per block and KV head, all of its KV splits in order.
  void run_blocks() {
    c_.parallel->run(n_query_tasks(), [&](int task, int worker) {
      const Queries q = queries(task);
      const AttentionWorkspace& space = c_.scratch->workers[static_cast<size_t>(worker)];
      const AttentionState total = state_at(space.total, q.count());
      const AttentionState split = state_at(space.split, q.count());
      reset(total, q.count(), shape_.v_dim);
      const auto [begin, end] = page_range(q.tokens);
      if (q.tokens.run) {
        for (int page = begin; page < end;) page = attend_run(q, space, total, page, end);
        return finish(q, total);
      }
      for (int page = begin; page < end;) {
        const int stop = std::min(end, (page / kPagesPerSplit + 1) * kPagesPerSplit);
        reset(split, q.count(), shape_.v_dim);
        attend(q, space, split, page, stop);
        merge(total, split, q.count(), shape_.v_dim);
        page = stop;
      }
      finish(q, total);
    });
  }

  /// Generation at depth: one token per sequence, so the KV splits of its context are shared out to threads.
  void run_splits() {
    const int64_t state_floats = attention_state_floats(group_, shape_.v_dim);
    const int n_tasks = n_query_tasks() * most_splits_;
    c_.parallel->run(n_tasks, [&](int task, int worker) {
      const Queries q = queries(task / most_splits_);
      const int index = task % most_splits_;
      const AttentionWorkspace& space = c_.scratch->workers[static_cast<size_t>(worker)];
      const AttentionState split = state_at(c_.scratch->partial + task * state_floats, group_);
      reset(split, group_, shape_.v_dim);
      const auto [begin, end] = page_range(q.tokens);
      const int from = std::max(begin, index * kPagesPerSplit), to = std::min(end, (index + 1) * kPagesPerSplit);
      if (from >= to) return;
      attend(q, space, split, from, to);
    });
    for (int task = 0; task < n_query_tasks(); ++task) {
      const AttentionState total = state_at(c_.scratch->workers[0].total, group_);
      reset(total, group_, shape_.v_dim);
      for (int i = 0; i < most_splits_; ++i) {
        merge(total, state_at(c_.scratch->partial + (int64_t{task} * most_splits_ + i) * state_floats, group_), group_,
              shape_.v_dim);
      }
      finish(queries(task), total);
    }
  }

  /// The task's queries, scaled, one after the other: token by token, head by head. Those that meet unturned keys turn
  /// in their place (Su et al. 2021: a score depends on the difference of both angles).
  void gather(const Queries& q, const AttentionWorkspace& space, bool unturned) const {
    float* out = space.q;
    for (int t = q.tokens.first; t < q.tokens.first + q.tokens.count; ++t) {
      const float scale = c_.hp->score_scale(layer_) * temperature(batch_[static_cast<size_t>(t)].pos);
      const float* heads = c_.scratch->qkv + t * row_.width + int64_t{q.first_head} * shape_.k_dim;
      const int64_t n = int64_t{q.n_heads} * shape_.k_dim;
      std::memcpy(out, heads, static_cast<size_t>(n) * sizeof(float));
      kernels().scale(out, scale, n);
      out += n;
    }
    for (int i = 0; unturned && i < q.count(); ++i) turn_back(c_, space.q + int64_t{i} * shape_.k_dim, shape_.rope);
    rotate_for_cache(space.q, q.count(), shape_.k_dim, c_.k_type);
  }

  /// Queries grow with their position, slowly (Llama 4, Ministral 3).
  float temperature(int32_t pos) const {
    if (c_.hp->attention_temperature == 0.0f) return 1.0f;
    const auto n_ctx = static_cast<double>(c_.hp->ropes[0].n_ctx_original);
    return static_cast<float>(1.0 + double{c_.hp->attention_temperature} * std::log1p(std::floor(pos / n_ctx)));
  }

  /// Pages that any token of the block can see.
  std::pair<int, int> page_range(const TokenBlock& tokens) const {
    const BatchToken& first = batch_[static_cast<size_t>(tokens.first)];
    const BatchToken& last = batch_[static_cast<size_t>(tokens.first + tokens.count - 1)];
    const auto n_pages = static_cast<int>(c_.cache->table(shape_.kv_layer, first.seq).size());
    const int begin = shape_.window > 0 ? std::max(0, first.pos - before_) / kPageTokens : 0;
    return {begin, c_.causal ? last.pos / kPageTokens + 1 : n_pages};
  }

  /// Slots of page `index` that a query at `pos` sees: held, not later than itself, inside its window.
  uint64_t visible(const PageRef& ref, int index, int32_t pos) const {
    const int64_t own = pos - int64_t{index} * kPageTokens;  // the query's own slot, if it lies in this page
    uint64_t mask = ref.mask;
    if (c_.causal) mask &= slots_below(own + 1);
    if (shape_.window > 0) mask &= slots_below(own + after_ + 1) & ~slots_below(own - before_);
    return mask;
  }

  /// Runs the queries over pages [begin, end) into `state`.
  void attend(const Queries& q, const AttentionWorkspace& space, const AttentionState& state, int begin,
              int end) const {
    const SeqId seq = batch_[static_cast<size_t>(q.tokens.first)].seq;
    const std::span<const PageRef> table = c_.cache->table(shape_.kv_layer, seq);
    int gathered = -1;  // 1: to meet unturned pages, 0: turned ones
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
      const int unturned = ref.unturned;
      if (std::exchange(gathered, unturned) != unturned) gather(q, space, ref.unturned);
      KvPage page = c_.cache->page(shape_.kv_layer, ref.page, q.kv_head);
      if (index + 1 < end && table[static_cast<size_t>(index + 1)].mask != 0) {
        page.next = c_.cache->page(shape_.kv_layer, table[static_cast<size_t>(index + 1)].page, q.kv_head).k;
      }
      attend_visible(q, space, state, page, index);
    }
  }

  /// One page, whose slots in space.visible the queries see.
  void attend_visible(const Queries& q, const AttentionWorkspace& space, const AttentionState& state,
                      const KvPage& page, int index) const {
    if (c_.arch->alibi_max_bias > 0) return attend_with_bias(q, space, state, page, index);
    kernels().attend_page(state, space.q, q.count(), page, kernel_shape_, space.visible, nullptr, space.kernel);
  }

  /// Runs many queries over pages from `begin` on at once, at most to `end`. Where it stopped.
  int attend_run(const Queries& q, const AttentionWorkspace& space, const AttentionState& state, int begin,
                 int end) const {
    const SeqId seq = batch_[static_cast<size_t>(q.tokens.first)].seq;
    const std::span<const PageRef> table = c_.cache->table(shape_.kv_layer, seq);
    const bool unturned = table[static_cast<size_t>(begin)].unturned;
    end = std::min(end, begin + kRunPages);
    for (int index = end; index-- > begin;) {
      if (table[static_cast<size_t>(index)].unturned != unturned) end = index;
    }
    gather(q, space, unturned);
    KvPage pages[kRunPages];
    uint64_t held[kRunPages];
    for (int index = begin; index < end; ++index) {
      const PageRef& ref = table[static_cast<size_t>(index)];
      held[index - begin] = ref.mask;
      pages[index - begin] = ref.mask != 0 ? c_.cache->page(shape_.kv_layer, ref.page, q.kv_head) : KvPage{};
    }
    const int64_t slot0 = int64_t{begin} * kPageTokens, n_slots = int64_t{end - begin} * kPageTokens;
    for (int t = 0; t < q.tokens.count; ++t) {
      const int64_t own = batch_[static_cast<size_t>(q.tokens.first + t)].pos - slot0;
      int64_t first = 0, past = c_.causal ? own + 1 : n_slots;
      if (shape_.window > 0) {
        first = own - before_;
        past = std::min(past, own + after_ + 1);
      }
      std::fill_n(space.first + t * q.n_heads, q.n_heads, static_cast<int32_t>(std::clamp<int64_t>(first, 0, n_slots)));
      std::fill_n(space.end + t * q.n_heads, q.n_heads, static_cast<int32_t>(std::clamp<int64_t>(past, 0, n_slots)));
    }
    const ::hearth::kernels::PageRun run{pages, held, end - begin, space.first, space.end};
    kernels().attend_run(state, space.q, q.count(), run, kernel_shape_, space.kernel);
    return end;
  }

  /// One page, scores less slope * distance: slots up to the query's own first, then those after it, since the bias is
  /// linear only on either side (Press et al. 2021).
  void attend_with_bias(const Queries& q, const AttentionWorkspace& space, const AttentionState& state,
                        const KvPage& page, int index) const {
    for (const bool before : {true, false}) {
      for (int i = 0; i < q.count(); ++i) {
        const int32_t pos = batch_[static_cast<size_t>(q.tokens.first + i / q.n_heads)].pos;
        const int64_t own = pos - int64_t{index} * kPageTokens;
        const uint64_t past = slots_below(own + 1);
        space.side[i] = space.visible[i] & (before ? past : ~past);
        const float slope = alibi_slope(q.first_head + i % q.n_heads);
        space.alibi[2 * i] = before ? slope : -slope;
        space.alibi[2 * i + 1] = static_cast<float>(-own);
      }
      kernels().attend_page(state, space.q, q.count(), page, kernel_shape_, space.side, space.alibi, space.kernel);
    }
  }

  /// A geometric series over the heads; those beyond a power of two lie between (Press et al. 2021, appendix).
  float alibi_slope(int head) const {
    const int whole = static_cast<int>(std::bit_floor(static_cast<unsigned>(shape_.n_heads)));
    const double step = head < whole ? head + 1 : head - whole + 0.5;
    return static_cast<float>(std::exp2(-double{c_.arch->alibi_max_bias} * step / whole));
  }

  /// heads = acc / sum; a sink takes part in the sum only (gpt-oss: a learned score that attends to nothing).
  void finish(const Queries& q, const AttentionState& state) const {
    const FloatArray& sinks = c_.weights->layers[static_cast<size_t>(layer_)].sinks;
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
      rotate_for_cache(out, 1, shape_.v_dim, c_.v_type);
    }
  }

  const ForwardContext& c_;
  int layer_;
  std::span<const BatchToken> batch_;
  const LayerShape& shape_;
  QkvRow row_;
  TokenBlock* blocks_;  ///< [n_blocks_] in scratch memory
  int n_blocks_ = 0;
  ::hearth::kernels::AttentionShape kernel_shape_;
  int32_t before_, after_;
  int group_ = 1;
  int heads_per_task_ = 1;
  int tasks_per_kv_head_ = 1;
  int most_splits_ = 1;
  bool single_tokens_ = false;
  bool may_run_ = false;  ///< large blocks take attend_run, whose 16-bit numbers are not those of attend_page
};

}  // namespace

void attend(const ForwardContext& c, int layer, std::span<const BatchToken> batch) {
  PagedAttention(c, layer, batch).run();
}

void attention_weights(const ForwardContext& c, int layer, std::span<const BatchToken> batch, int t,
                       std::span<float> weights, int64_t n_positions) {
  PagedAttention(c, layer, batch).weights(t, weights, n_positions);
}

}  // namespace hearth
