// Twin of hearth/sampler.h.
#include "lib/c/options.h"

using namespace hearth::c;

static_assert(sizeof(HearthRng) == sizeof(hearth::Rng) && std::is_trivially_copyable_v<hearth::Rng>);
static_assert(sizeof(HearthCandidate) == sizeof(hearth::Candidate) &&
              offsetof(HearthCandidate, p) == offsetof(hearth::Candidate, p));
static_assert(HEARTH_STAGE_POSITION_LAST == static_cast<int>(hearth::StagePosition::kLast));

namespace hearth::c {
namespace {

/// Every number of the options, which have the same names in both languages.
template <typename To, typename From>
void copy_numbers(To& to, const From& from) {
  to.seed = from.seed;
  to.greedy = from.greedy;
  to.penalty_last_n = from.penalty_last_n;
  to.repeat_penalty = from.repeat_penalty;
  to.frequency_penalty = from.frequency_penalty;
  to.presence_penalty = from.presence_penalty;
  to.dry_multiplier = from.dry_multiplier;
  to.dry_base = from.dry_base;
  to.dry_allowed_length = from.dry_allowed_length;
  to.dry_penalty_last_n = from.dry_penalty_last_n;
  to.top_n_sigma = from.top_n_sigma;
  to.top_k = from.top_k;
  to.typical_p = from.typical_p;
  to.top_p = from.top_p;
  to.min_p = from.min_p;
  to.xtc_probability = from.xtc_probability;
  to.xtc_threshold = from.xtc_threshold;
  to.temperature = from.temperature;
  to.dynatemp_range = from.dynatemp_range;
  to.dynatemp_exponent = from.dynatemp_exponent;
  to.min_keep = from.min_keep;
  to.mirostat = from.mirostat;
  to.mirostat_tau = from.mirostat_tau;
  to.mirostat_eta = from.mirostat_eta;
}

HearthCandidate* items_of(std::vector<Candidate>& items) {
  return reinterpret_cast<HearthCandidate*>(items.data());
}

}  // namespace

Result<SamplerOptions> to_cpp(const HearthSamplerOptions* options) {
  const auto full = complete(options, hearth_sampler_options_init);
  if (!full) return full.error();
  SamplerOptions made;
  copy_numbers(made, *full);
  if (full->n_logit_bias > 0) {
    if (auto s = needs({{full->logit_bias, "logit_bias"}}); !s) return s.error();
  }
  for (size_t i = 0; i < full->n_logit_bias; ++i) {
    made.logit_bias.push_back({full->logit_bias[i].id, full->logit_bias[i].bias});
  }
  if (full->has_dry_breakers) {
    auto breakers = texts_of(full->dry_breakers, full->n_dry_breakers, "dry_breakers");
    if (!breakers) return breakers.error();
    made.dry_breakers = std::move(*breakers);
  }
  return made;
}

}  // namespace hearth::c

extern "C" {

HearthCandidate* hearth_candidates_items(HearthCandidates* candidates, size_t* n) {
  if (n != nullptr) *n = candidates == nullptr ? 0 : candidates->all.items.size();
  return candidates == nullptr ? nullptr : items_of(candidates->all.items);
}
void hearth_candidates_truncate(HearthCandidates* candidates, size_t n) {
  if (candidates == nullptr || n >= candidates->all.items.size()) return;
  candidates->all.items.erase(candidates->all.items.begin() + static_cast<std::ptrdiff_t>(n),
                              candidates->all.items.end());
}
bool hearth_candidates_sorted(const HearthCandidates* candidates) {
  return candidates != nullptr && candidates->all.sorted;
}
void hearth_candidates_set_sorted(HearthCandidates* candidates, bool sorted) {
  if (candidates != nullptr) candidates->all.sorted = sorted;
}
void hearth_candidates_sort(HearthCandidates* candidates) {
  if (candidates != nullptr) candidates->all.sort();
}
void hearth_candidates_softmax(HearthCandidates* candidates) {
  if (candidates != nullptr) candidates->all.softmax();
}

void hearth_rng_init(HearthRng* rng, uint64_t seed) {
  const hearth::Rng made(seed);
  if (rng != nullptr) std::memcpy(rng, &made, sizeof made);
}
uint64_t hearth_rng_next(HearthRng* rng) {
  hearth::Rng own;
  if (rng == nullptr) return 0;
  std::memcpy(static_cast<void*>(&own), rng, sizeof own);
  const uint64_t value = own.next();
  std::memcpy(rng, &own, sizeof own);
  return value;
}
double hearth_rng_uniform(HearthRng* rng) {
  hearth::Rng own;
  if (rng == nullptr) return 0;
  std::memcpy(static_cast<void*>(&own), rng, sizeof own);
  const double value = own.uniform();
  std::memcpy(rng, &own, sizeof own);
  return value;
}

void hearth_sampler_options_init(HearthSamplerOptions* options) {
  HearthSamplerOptions full{};
  copy_numbers(full, hearth::SamplerOptions());
  fill(options, full);
}
void hearth_recommended_sampling(const HearthGgufFile* file, HearthSamplerOptions* options) {
  if (file == nullptr || options == nullptr) return;
  hearth::guard_or(0, [&] {
    auto full = complete(options, hearth_sampler_options_init);
    if (!full) return 0;
    hearth::SamplerOptions numbers;
    copy_numbers(numbers, *full);
    copy_numbers(*full, hearth::recommended_sampling(file->file, numbers));
    fill(options, *full);
    return 0;
  });
}

HearthCode hearth_sampler_create(int32_t n_logits, const HearthSamplerOptions* options,
                                 const HearthTokenizer* tokenizer, HearthSampler** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    const hearth::Tokenizer* with = tokenizer == nullptr ? nullptr : &tokenizer->tokenizer;
    return hand_out_handle(hearth::Sampler::create(n_logits, *how, with), out);
  });
}
void hearth_sampler_free(HearthSampler* sampler) {
  delete sampler;
}
HearthCode hearth_sampler_clone(const HearthSampler* sampler, HearthSampler** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{sampler, "sampler"}, {out, "out"}}); !s) return s;
    return hand_out_handle(sampler->sampler.clone(), out);
  });
}
void hearth_sampler_add_stage(HearthSampler* sampler, int32_t where, HearthSamplerStage stage, void* user) {
  hearth::StagePosition position{};
  if (sampler == nullptr || stage == nullptr || where < 0 || where > HEARTH_STAGE_POSITION_LAST) return;
  position = static_cast<hearth::StagePosition>(where);
  sampler->sampler.add_stage(position, [stage, user](hearth::Candidates& all) {
    HearthCandidates lent{all};
    stage(user, &lent);
  });
}
HearthCode hearth_sampler_sample(HearthSampler* sampler, const float* logits, size_t n, int32_t* out,
                                 HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{sampler, "sampler"}, {logits, "logits"}, {out, "out"}}); !s) return s;
    return hand_out_value(sampler->sampler.sample({logits, n}), out);
  });
}
HearthCode hearth_sampler_sample_allowed(HearthSampler* sampler, const float* logits, size_t n, const uint64_t* allowed,
                                         size_t n_words, int32_t* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{sampler, "sampler"}, {logits, "logits"}, {allowed, "allowed"}, {out, "out"}}); !s) return s;
    return hand_out_value(sampler->sampler.sample({logits, n}, {allowed, n_words}), out);
  });
}
void hearth_sampler_accept(HearthSampler* sampler, int32_t id) {
  if (sampler != nullptr) sampler->sampler.accept(id);
}
void hearth_sampler_reset(HearthSampler* sampler) {
  if (sampler != nullptr) sampler->sampler.reset();
}
void hearth_sampler_reset_history(HearthSampler* sampler) {
  if (sampler != nullptr) sampler->sampler.reset_history();
}
const HearthCandidate* hearth_sampler_last_candidates(const HearthSampler* sampler, size_t* n) {
  const auto all = sampler == nullptr ? std::span<const hearth::Candidate>() : sampler->sampler.last_candidates();
  if (n != nullptr) *n = all.size();
  return reinterpret_cast<const HearthCandidate*>(all.data());
}

}  // extern "C"
