// The forward pass: tokens and positions in, logits out. forward() is the graph; each stage is a file beside it.
//
// Shapes: n tokens of a batch; x is the residual stream [n, d_model].
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "hearth/batch.h"
#include "lib/base/buffer.h"
#include "lib/base/parallel.h"
#include "lib/cache/kv_cache.h"
#include "lib/matmul/matmul.h"
#include "lib/model/adapter_pass.h"
#include "lib/model/hparams.h"
#include "lib/model/linear.h"
#include "lib/model/rope.h"
#include "lib/model/weights.h"

namespace hearth {

/// Sizes that a session's scratch memory is made for.
struct ScratchSizes {
  int n_batch = 1;   ///< tokens of one forward pass
  int n_logits = 1;  ///< rows of logits kept by a decode()
  int n_seqs = 1;
  int64_t n_ctx = 1;
  int n_threads = 1;
  bool logits = true;  ///< false: hidden states only
  bool mtp = false;    ///< the layer that predicts further tokens is computed besides
};

/// A few neighboring tokens of one sequence: with the heads of a group, the queries of one attention task.
struct TokenBlock {
  int first = 0;  ///< row of the batch
  int count = 0;
  bool run = false;  ///< goes through attend_run
};

/// Tokens of one sequence in a batch, for recurrent layers.
struct SequenceRows {
  SeqId seq = 0;
  bool starts = false;            ///< its first token stands at position 0
  std::span<const int32_t> rows;  ///< of the batch, in order
};

/// Memory that one worker uses inside an attention task.
struct AttentionWorkspace {
  float* q = nullptr;           ///< [kRunMaxQueries, k_dim]
  float* split = nullptr;       ///< state of one KV split: max, sum [queries] each, acc [queries, v_dim]
  float* total = nullptr;       ///< the same for kRunMaxQueries, merged over KV splits
  uint64_t* visible = nullptr;  ///< [queries]
  uint64_t* side = nullptr;     ///< [queries] part of visible, with ALiBi
  float* alibi = nullptr;       ///< [queries, 2]
  int32_t* first = nullptr;     ///< [kRunMaxQueries] range of slots seen
  int32_t* end = nullptr;
  float* kernel = nullptr;  ///< attend_scratch_floats, attend_run_scratch_bytes
};

/// What the layer that predicts further tokens works with (mtp.h).
struct MtpScratch {
  static constexpr int kTexts = 8;  ///< rows that one prediction leaves
  static constexpr int kHeld = 32;  ///< hidden states that are kept of a sequence
  float* pairs = nullptr;           ///< [n_batch, embedding | hidden state]; nullptr: there is no such layer
  float* held = nullptr;            ///< [n_seqs, kHeld, d_model], that of position p at p % kHeld
  int32_t* held_pos = nullptr;      ///< [n_seqs, kHeld] -1: none
  Token* held_id = nullptr;         ///< [n_seqs, kHeld] of the token at that position
  float* hidden = nullptr;          ///< [kTexts, d_model] what was predicted from, normed
  float* logits = nullptr;          ///< [kTexts, n_vocab]
};

/// Work memory of a session, cut from one block. Everything that forward() writes lies here or in the KV cache.
struct Scratch {
  float* x = nullptr;                      ///< [n_batch, d_model] residual stream
  float* h = nullptr;                      ///< [n_batch, d_model] normed input of a stage
  float* y = nullptr;                      ///< [n_batch, d_model] output of a stage
  float* qkv = nullptr;                    ///< [n_batch, q | k | v]
  float* heads = nullptr;                  ///< [n_batch, n_heads * v_dim] attention output
  float* gated_q = nullptr;                ///< [n_batch, n_heads, query | gate]
  float* latent_q = nullptr;               ///< [n_batch, n_heads * (nope + rope)], and values after attention
  float* latent_low = nullptr;             ///< [n_batch, q_rank]
  float* latent_kv = nullptr;              ///< [n_batch, kv_rank + rope]
  int32_t* latent_head = nullptr;          ///< [n_batch * n_heads]
  int32_t* latent_row = nullptr;           ///< [n_batch * n_heads]
  float* recurrent_in = nullptr;           ///< [n_batch, channels]
  float* recurrent_qkv = nullptr;          ///< [n_batch, channels], convolved
  float* recurrent_z = nullptr;            ///< [n_batch, n_v_heads * v_dim]
  float* recurrent_joined = nullptr;       ///< [n_batch, channels + n_v_heads * v_dim], where one matrix makes them
  float* recurrent_ba = nullptr;           ///< [n_batch, 2 n_v_heads]
  SequenceRows* sequences = nullptr;       ///< [min(n_seqs, n_batch)] of the batch
  int32_t* sequence_rows = nullptr;        ///< [n_batch] rows of the batch, sequence by sequence
  float* ff = nullptr;                     ///< [n_batch, d_ff]
  float* dense = nullptr;                  ///< [n_batch, d_model] dense feed-forward beside experts
  float* shared_scale = nullptr;           ///< [n_batch]
  float* layer_embeddings = nullptr;       ///< [n_batch, n_layers, d_layer_embedding] per-layer embeddings
  float* layer_embedding_rows = nullptr;   ///< the same shape, rows of the table
  float* layer_embedding_gates = nullptr;  ///< [n_batch, d_layer_embedding]
  float* router = nullptr;                 ///< [n_batch, n_experts]
  float* router_choice = nullptr;          ///< [n_batch, n_experts] scores by which experts are chosen
  float* router_groups = nullptr;          ///< [n_batch, n_groups]
  int32_t* chosen = nullptr;               ///< [n_batch, n_used] experts of each token, best first
  int32_t* entry_row = nullptr;            ///< [n_batch * n_used] row of x that an entry reads
  int32_t* entry_order = nullptr;          ///< [n_batch * n_used] entries by expert
  int32_t* expert_begin = nullptr;         ///< [n_experts + 1] for that
  float* chosen_weight = nullptr;          ///< [n_batch, n_used]
  float* expert_ff = nullptr;              ///< [n_batch * n_used, expert d_ff]
  float* expert_out = nullptr;             ///< [n_batch * n_used, d_model], unless sums_in_tiles()
  float* cos_sin[2] = {};                  ///< [n_batch, n_rot/2, 2] of each rope
  float* partial = nullptr;                ///< attention states of KV splits, when those of one token are shared out
  TokenBlock* blocks = nullptr;            ///< [n_batch] of an attention stage
  std::vector<AttentionWorkspace> workers;
  std::byte* matmul = nullptr;
  int32_t* rows = nullptr;      ///< [n_batch] tokens whose logits are wanted
  int32_t* all_rows = nullptr;  ///< [n_batch] 0, 1, 2, ...
  float* hidden = nullptr;      ///< [n_logits, d_model]
  float* logits = nullptr;      ///< [n_logits, n_vocab]
  MtpScratch mtp;

  /// Cuts the arrays; with a counting Layout only the sizes matter.
  static Scratch lay_out(Layout& layout, const Architecture& arch, const HParams& hp, const ScratchSizes& sizes);
};

/// Largest number of rows that enter a product of matrices; the longest is HParams::widest_input.
int64_t matmul_rows(const HParams& hp, const ScratchSizes& sizes);

struct ForwardContext;

/// Called on the thread of decode() in every attention stage, once queries are ready and the batch's keys and values
/// are in the cache; attention_weights() (paged_attention.h) then says what a token sees.
using AttentionObserver = std::function<void(const ForwardContext& c, int layer, std::span<const BatchToken> batch)>;

/// Everything that stages need, borrowed from the session for the time of one pass.
struct ForwardContext {
  const Architecture* arch = nullptr;
  const HParams* hp = nullptr;
  const Weights* weights = nullptr;
  std::span<const RopeTable> ropes;
  /// cos and sin [n_rot / 2, 2] of each rope by which queries turn to meet keys of unturned pages (sequences.h).
  std::span<const std::vector<float>> turn_back;
  Scratch* scratch = nullptr;
  KVCache::Impl* cache = nullptr;
  Parallel* parallel = nullptr;
  MatmulContext matmul;
  kernels::KvType k_type = kernels::KvType::kF16;
  kernels::KvType v_type = kernels::KvType::kF16;
  bool causal = true;
  bool page_runs = false;  ///< which attention kernel a token takes depends on the tokens of its page alone
  const LinearObserver* observe_linear = nullptr;        ///< sees every linear layer; nullptr: none
  const AttentionObserver* observe_attention = nullptr;  ///< sees every attention stage; nullptr: none
  const std::atomic<bool>* cancel = nullptr;             ///< looked at before every layer; may be nullptr
  AdapterPass* adapters = nullptr;                       ///< of this batch; nullptr: it uses none
};

/// Computes a batch whose positions the cache has reserved. Writes rows `first_row`... of scratch->hidden and, where
/// `want_logits`, scratch->logits for the tokens that ask for them. Returns how many rows;
/// -1 when cancelled before the last layer.
int forward(const ForwardContext& c, std::span<const BatchToken> batch, int first_row, bool want_logits);

/// One transformer block: x += Attention(norm(x)), x += FFN(norm(x)), then h = next(x); h = norm(x) on entry. After its
/// attention only `rows` of the batch are kept.
void block(const ForwardContext& c, int layer, std::span<const BatchToken> batch, std::span<const int32_t> rows,
           const Norm& next);
/// cos and sin of every token's position, once for all layers.
void position_angles(const ForwardContext& c, std::span<const BatchToken> batch);
/// logits = h W_out^T, scaled and capped; rows of h [n, d_model] in scratch memory.
void output_logits(const ForwardContext& c, const Linear& output, float* logits, int n);

// --- stages, in the order of a block --------------------------------------------------------------------------------

/// out = norm(in), of the architecture's kind; out may be in.
void norm_row(const ForwardContext& c, float* out, const float* in, const Norm& norm, int64_t width);
/// out[t] = norm(in[t]); out may be in. Rows of `width`.
void norm_rows(const ForwardContext& c, float* out, const float* in, const Norm& norm, int n, int width);
/// x += scale * y, then h = norm(x), in one pass over the rows; an absent norm leaves h alone.
void add_norm_rows(const ForwardContext& c, float* x, const float* y, float scale, float* h, const Norm& norm, int n);

/// y = Attention(h): softmax(q k^T * scale + mask) v, then the output projection (Vaswani et al. 2017, section 3.2).
/// With `rows`, only those tokens of the batch get an output: y has n_rows rows.
void attention(const ForwardContext& c, int layer, std::span<const BatchToken> batch, std::span<const int32_t> rows);

/// y = GatedDeltaNet(h), the stage of recurrent layers (Yang et al. 2024), for `rows` only.
void delta_net(const ForwardContext& c, int layer, std::span<const BatchToken> batch, std::span<const int32_t> rows);

/// y = W_down(gate(W_gate h) * W_up h) (Shazeer 2020), or of the experts that the router chooses (Shazeer et al. 2017).
void feed_forward(const ForwardContext& c, int layer, int n);
/// Layers whose weights are read first after this one.
NextLinears after_layer(const ForwardContext& c, int layer);
void mixture_of_experts(const ForwardContext& c, int layer, int n);
/// Whether experts' outputs are added up where their tiles are made, as long as every thread has two tiles of rows or
/// more; otherwise they are stored first. Both to the same bits.
bool sums_in_tiles(int64_t d_model, int n_threads);
/// y = norm(FFN(h)) + norm(MoE(norm(x))), where experts stand beside a dense feed-forward (Gemma 4).
void dense_and_experts(const ForwardContext& c, int layer, int n);

/// Per-layer embeddings (PLE, Gemma 3n and 4): layer_embeddings from the token and from x, before the first layer; ...
void prepare_layer_embeddings(const ForwardContext& c, std::span<const BatchToken> batch);
/// ... and what ends a layer: x += norm(W_up(gelu(W_gate x) * layer_embeddings)), x *= output_scale. h is x on entry.
void end_layer(const ForwardContext& c, int layer, std::span<const int32_t> rows);

/// data[i] = data[rows[i]], where rows ascend: rows of `width` that are no longer needed make room. From here on the
/// stages compute `rows` alone.
void keep_rows(const ForwardContext& c, float* data, int64_t width, std::span<const int32_t> rows);

/// Rows that a thread takes at once.
inline constexpr int kRowsPerTask = 8;

/// Runs f(row) for rows [0, n), in parallel when n * width is worth it.
template <typename F>
void for_rows(const ForwardContext& c, int n, int64_t width, F&& f, int rows_per_task = kRowsPerTask) {
  constexpr int64_t kWorthForking = 16384;  // floats touched; below, a fork-join costs more than it saves
  if (n * width < kWorthForking || n <= rows_per_task) {
    for (int row = 0; row < n; ++row) f(row);
    return;
  }
  c.parallel->run((n + rows_per_task - 1) / rows_per_task, [&](int task, int) {
    const int end = task * rows_per_task + rows_per_task < n ? task * rows_per_task + rows_per_task : n;
    for (int row = task * rows_per_task; row < end; ++row) f(row);
  });
}

}  // namespace hearth
