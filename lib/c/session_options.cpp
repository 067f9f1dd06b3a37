// Options and figures of sessions, and what several parts of the C interface convert.
#include "lib/c/options.h"

using namespace hearth::c;

static_assert(HEARTH_ROPE_SCALING_TYPE_YARN == static_cast<int>(hearth::RopeScalingType::kYarn));

namespace hearth::c {

std::optional<TensorType> type_or_none(int32_t type) {
  if (type < 0) return std::nullopt;
  return static_cast<TensorType>(type);
}

Result<std::vector<std::string>> texts_of(const char* const* texts, size_t n, const char* name) {
  std::vector<std::string> all;
  if (n > 0) {
    if (auto s = needs({{texts, name}}); !s) return s.error();
  }
  for (size_t i = 0; i < n; ++i) all.emplace_back(view(texts[i]));
  return all;
}

Result<std::vector<std::string>> texts_of(const HearthText* texts, size_t n) {
  std::vector<std::string> all;
  if (n > 0) {
    if (auto s = needs({{texts, "texts"}}); !s) return s.error();
  }
  all.reserve(n);
  for (size_t i = 0; i < n; ++i) all.emplace_back(view(texts[i].data, texts[i].size));
  return all;
}

Result<std::vector<std::vector<Token>>> lists_of(const int32_t* ids, const size_t* lengths, size_t n) {
  std::vector<std::vector<Token>> all;
  if (n > 0) {
    if (auto s = needs({{ids, "ids"}, {lengths, "lengths"}}); !s) return s.error();
  }
  all.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    all.emplace_back(ids, ids + lengths[i]);
    ids += lengths[i];
  }
  return all;
}

TextCallback to_cpp(HearthTextCallback on_text, void* user) {
  if (on_text == nullptr) return {};
  return [on_text, user](std::string_view text) { return on_text(user, text.data(), text.size()); };
}

HearthTimings to_c(const Timings& t) {
  return {sizeof(HearthTimings), t.prompt_tokens,       t.reused_tokens,   t.generated_tokens,
          t.prompt_seconds,      t.first_token_seconds, t.generate_seconds};
}

HearthSessionOptions to_c(const SessionOptions& options) {
  HearthSessionOptions full{};
  full.size = sizeof full;
  full.n_ctx = options.n_ctx;
  full.n_seqs = options.n_seqs;
  full.n_batch = options.n_batch;
  full.n_logits = options.n_logits;
  full.k_type = static_cast<int32_t>(options.k_type);
  full.v_type = static_cast<int32_t>(options.v_type);
  full.n_threads = options.n_threads;
  full.hidden_only = options.hidden_only;
  full.batch_invariant = options.batch_invariant;
  full.exact_products = options.exact_products;
  full.reuse_prefixes = options.reuse_prefixes;
  full.n_kept_prefixes = options.n_kept_prefixes;
  full.mtp = options.mtp;
  return full;
}

namespace {

Result<RopeOptions> rope_options(const HearthRopeOptions* options) {
  const auto full = complete(options, hearth_rope_options_init);
  if (!full) return full.error();
  RopeOptions made;
  if (auto s = set_enum(made.scaling, full->scaling, RopeScalingType::kYarn, "scaling"); !s) return s.error();
  made.freq_base = full->freq_base;
  made.freq_scale = full->freq_scale;
  made.yarn_orig_ctx = full->yarn_orig_ctx;
  made.yarn_ext_factor = full->yarn_ext_factor;
  made.yarn_attn_factor = full->yarn_attn_factor;
  made.yarn_beta_fast = full->yarn_beta_fast;
  made.yarn_beta_slow = full->yarn_beta_slow;
  return made;
}

}  // namespace

Result<SessionOptions> to_cpp(const HearthSessionOptions* options, const SessionOptions& if_null) {
  if (options == nullptr) return if_null;
  const auto full = complete(options, hearth_session_options_init);
  if (!full) return full.error();
  SessionOptions made;
  if (auto s = set_enum(made.k_type, full->k_type, kLastKVType, "k_type"); !s) return s.error();
  if (auto s = set_enum(made.v_type, full->v_type, kLastKVType, "v_type"); !s) return s.error();
  const auto rope = rope_options(full->rope);
  if (!rope) return rope.error();
  auto adapters = to_cpp(full->adapters, full->n_adapters);
  if (!adapters) return adapters.error();
  made.n_ctx = full->n_ctx;
  made.n_seqs = full->n_seqs;
  made.n_batch = full->n_batch;
  made.n_logits = full->n_logits;
  made.n_threads = full->n_threads;
  made.hidden_only = full->hidden_only;
  made.batch_invariant = full->batch_invariant;
  made.exact_products = full->exact_products;
  made.rope = *rope;
  made.reuse_prefixes = full->reuse_prefixes;
  made.n_kept_prefixes = full->n_kept_prefixes;
  made.mtp = full->mtp;
  made.pool = pool_of(full->pool);
  made.adapters = std::move(*adapters);
  return made;
}

}  // namespace hearth::c

extern "C" {

void hearth_rope_options_init(HearthRopeOptions* options) {
  const hearth::RopeOptions defaults;
  HearthRopeOptions full{};
  full.scaling = static_cast<int32_t>(defaults.scaling);
  full.freq_base = defaults.freq_base;
  full.freq_scale = defaults.freq_scale;
  full.yarn_orig_ctx = defaults.yarn_orig_ctx;
  full.yarn_ext_factor = defaults.yarn_ext_factor;
  full.yarn_attn_factor = defaults.yarn_attn_factor;
  full.yarn_beta_fast = defaults.yarn_beta_fast;
  full.yarn_beta_slow = defaults.yarn_beta_slow;
  fill(options, full);
}
void hearth_session_options_init(HearthSessionOptions* options) {
  fill(options, to_c(hearth::SessionOptions()));
}
void hearth_prefill_options_init(HearthPrefillOptions* options) {
  const hearth::PrefillOptions defaults;
  fill(options, {0, defaults.seq, defaults.all_logits, nullptr, nullptr, nullptr, defaults.skip_held});
}

}  // extern "C"
