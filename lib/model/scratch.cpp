// How large the work memory of a session is, array by array.
#include <algorithm>

#include "lib/model/forward.h"
#include "lib/model/kv_split.h"

namespace hearth {
namespace {

/// The largest value of f(layer).
template <typename F>
int64_t max_over_layers(const HParams& hp, F f) {
  int64_t largest = 0;
  for (const LayerShape& layer : hp.layers) largest = std::max<int64_t>(largest, f(layer));
  return largest;
}

void lay_out_workers(Scratch& s, Layout& layout, const HParams& hp, int n_threads) {
  const int64_t k_dim = max_over_layers(hp, [](const LayerShape& l) { return l.k_dim; });
  const int64_t v_dim =
      std::max<int64_t>(max_over_layers(hp, [](const LayerShape& l) { return l.v_dim; }), hp.recurrent.v_dim);
  s.workers.resize(static_cast<size_t>(n_threads));
  for (AttentionWorkspace& worker : s.workers) {
    worker.q = layout.take<float>(kernels::kRunMaxQueries * k_dim);
    worker.split = layout.take<float>(attention_state_floats(kernels::kAttendMaxQueries, v_dim));
    worker.total = layout.take<float>(attention_state_floats(kernels::kRunMaxQueries, v_dim));
    worker.visible = layout.take<uint64_t>(kernels::kAttendMaxQueries);
    worker.side = layout.take<uint64_t>(kernels::kAttendMaxQueries);
    worker.alibi = layout.take<float>(2 * kernels::kAttendMaxQueries);
    worker.first = layout.take<int32_t>(kernels::kRunMaxQueries);
    worker.end = layout.take<int32_t>(kernels::kRunMaxQueries);
    worker.kernel = layout.take<float>(std::max(
        kernels::attend_scratch_floats(kernels::kAttendMaxQueries),
        kernels::attend_run_scratch_bytes(kernels::kRunMaxQueries, static_cast<int>(k_dim), static_cast<int>(v_dim)) /
            4));
  }
}

void lay_out_experts(Scratch& s, Layout& layout, const HParams& hp, int64_t n, int n_threads) {
  const ExpertParams& moe = hp.experts;
  if (moe.n_experts == 0) return;
  const int64_t entries = n * moe.n_used;
  s.router = layout.take<float>(n * moe.n_experts);
  s.router_choice = layout.take<float>(n * moe.n_experts);
  s.router_groups = layout.take<float>(n * moe.n_groups);
  s.chosen = layout.take<int32_t>(entries);
  s.entry_row = layout.take<int32_t>(entries);
  s.entry_order = layout.take<int32_t>(entries);
  s.expert_begin = layout.take<int32_t>(moe.n_experts + 1);
  s.chosen_weight = layout.take<float>(entries);
  s.expert_ff = layout.take<float>(entries * moe.d_ff);
  s.expert_out = layout.take<float>(sums_in_tiles(hp.d_model, n_threads) ? 0 : entries * hp.d_model);
  s.dense = layout.take<float>(n * hp.d_model);
  s.shared_scale = layout.take<float>(n);
}

void lay_out_latent(Scratch& s, Layout& layout, const HParams& hp, int64_t n) {
  const LatentParams& p = hp.latent;
  if (p.kv_rank == 0) return;
  const int64_t n_heads = max_over_layers(hp, [](const LayerShape& l) { return l.n_heads; });
  s.latent_q = layout.take<float>(n * n_heads * std::max(p.nope_dim + p.rope_dim, p.v_dim));
  s.latent_low = layout.take<float>(n * p.q_rank);
  s.latent_kv = layout.take<float>(n * (p.kv_rank + p.rope_dim));
  s.latent_head = layout.take<int32_t>(n * n_heads);
  s.latent_row = layout.take<int32_t>(n * n_heads);
}

void lay_out_recurrent(Scratch& s, Layout& layout, const HParams& hp, int64_t n, int64_t n_seqs) {
  const RecurrentParams& p = hp.recurrent;
  if (p.conv_width == 0) return;
  s.recurrent_in = layout.take<float>(n * p.channels());
  s.recurrent_qkv = layout.take<float>(n * p.channels());
  s.recurrent_z = layout.take<float>(n * p.v_width());
  s.recurrent_joined = layout.take<float>(p.joined ? n * (p.channels() + p.v_width()) : 0);
  s.recurrent_ba = layout.take<float>(n * 2 * p.n_v_heads);
  s.sequences = layout.take<SequenceRows>(std::min(n, n_seqs));
  s.sequence_rows = layout.take<int32_t>(n);
}

void lay_out_layer_embeddings(Scratch& s, Layout& layout, const HParams& hp, int64_t n) {
  if (hp.d_layer_embedding == 0) return;
  s.layer_embeddings = layout.take<float>(n * hp.n_layers * hp.d_layer_embedding);
  s.layer_embedding_rows = layout.take<float>(n * hp.n_layers * hp.d_layer_embedding);
  s.layer_embedding_gates = layout.take<float>(n * hp.d_layer_embedding);
}

void lay_out_mtp(MtpScratch& s, Layout& layout, const HParams& hp, const ScratchSizes& sizes) {
  const int64_t held = int64_t{sizes.n_seqs} * MtpScratch::kHeld;
  s.pairs = layout.take<float>(int64_t{sizes.n_batch} * 2 * hp.d_model);
  s.held = layout.take<float>(held * hp.d_model);
  s.held_pos = layout.take<int32_t>(held);
  s.held_id = layout.take<Token>(held);
  s.hidden = layout.take<float>(int64_t{MtpScratch::kTexts} * hp.d_model);
  s.logits = layout.take<float>(int64_t{MtpScratch::kTexts} * hp.n_vocab);
}

}  // namespace

int64_t matmul_rows(const HParams& hp, const ScratchSizes& sizes) {
  return int64_t{sizes.n_batch} * std::max(1, hp.experts.n_used);
}

Scratch Scratch::lay_out(Layout& layout, const Architecture& arch, const HParams& hp, const ScratchSizes& sizes) {
  Scratch s;
  const int64_t n = sizes.n_batch;
  s.x = layout.take<float>(n * hp.d_model);
  s.h = layout.take<float>(n * hp.d_model);
  s.y = layout.take<float>(n * hp.d_model);
  s.qkv = layout.take<float>(n * max_over_layers(hp, [](const LayerShape& l) {
                               return int64_t{l.n_heads} * l.k_dim + int64_t{l.n_kv_heads} * (l.k_dim + l.v_dim);
                             }));
  s.heads = layout.take<float>(
      n * std::max<int64_t>(max_over_layers(hp, [](const LayerShape& l) { return int64_t{l.n_heads} * l.v_dim; }),
                            hp.recurrent.v_width()));
  const int64_t d_ff = max_over_layers(hp, [](const LayerShape& l) { return l.d_ff; });
  s.ff = layout.take<float>(n * std::max<int64_t>(d_ff, hp.experts.d_ff_shared));
  lay_out_latent(s, layout, hp, n);
  if (arch.gated_queries) {
    s.gated_q =
        layout.take<float>(n * max_over_layers(hp, [](const LayerShape& l) { return 2 * l.n_heads * l.k_dim; }));
  }
  lay_out_recurrent(s, layout, hp, n, sizes.n_seqs);
  lay_out_experts(s, layout, hp, n, sizes.n_threads);
  lay_out_layer_embeddings(s, layout, hp, n);
  for (size_t i = 0; i < hp.ropes.size() && i < 2; ++i) s.cos_sin[i] = layout.take<float>(n * hp.ropes[i].n_rot);
  s.partial = layout.take<float>(max_over_layers(hp, [&](const LayerShape& l) {
    return sizes.n_seqs * kv_splits(sizes.n_ctx) * l.n_kv_heads *
           attention_state_floats(l.n_heads / l.n_kv_heads, l.v_dim);
  }));
  lay_out_workers(s, layout, hp, sizes.n_threads);
  s.matmul = layout.take<std::byte>(
      static_cast<int64_t>(MatmulScratch::bytes_needed(matmul_rows(hp, sizes), hp.widest_input, sizes.n_threads)));
  s.blocks = layout.take<TokenBlock>(n);
  s.rows = layout.take<int32_t>(n);
  s.all_rows = layout.take<int32_t>(n);
  s.hidden = layout.take<float>(int64_t{sizes.n_logits} * hp.d_model);
  s.logits = layout.take<float>(sizes.logits ? int64_t{sizes.n_logits} * hp.n_vocab : 0);
  if (sizes.mtp) lay_out_mtp(s.mtp, layout, hp, sizes);
  return s;
}

}  // namespace hearth
