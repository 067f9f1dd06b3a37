// Sampler: runs the stages in order and holds their state between tokens.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/sample/stages.h"

namespace hearth {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

struct HostStage {
  StagePosition where;
  SamplerStage run;
};

bool uses_penalties(const SamplerOptions& o) {
  return o.penalty_last_n != 0 && (o.repeat_penalty != 1 || o.frequency_penalty != 0 || o.presence_penalty != 0);
}

bool uses_dry(const SamplerOptions& o) {
  return o.dry_multiplier > 0 && o.dry_penalty_last_n != 0;
}

}  // namespace

struct Sampler::Impl {
  int32_t n_logits = 0;  ///< that sample() gets
  int32_t n_vocab = 0;   ///< of these, are tokens
  SamplerOptions options;
  std::vector<sample::DryBreaker> breakers;
  std::vector<HostStage> host_stages;

  Rng rng;
  sample::Mirostat mirostat;
  std::vector<Token> history;  ///< oldest first; what the longest window needs, and a little more
  sample::TokenCounts window;  ///< of the penalties

  std::span<const uint64_t> allowed;  ///< of the call of sample() that runs; empty: all tokens
  Candidates candidates;
  std::vector<float> edited;  ///< [n_vocab] logits after bias and penalties
  sample::DryScratch dry_scratch;
  std::vector<std::pair<float, Candidate>> typical_scratch;
  bool forgot = false;  ///< a call that cannot report an error found no memory

  bool is_greedy() const { return options.greedy || (options.temperature <= 0 && options.dynatemp_range <= 0); }
  size_t min_keep() const { return static_cast<size_t>(std::max(options.min_keep, 1)); }
  bool allows(Token id) const {
    const size_t word = static_cast<size_t>(id) / 64;
    return allowed.empty() || (word < allowed.size() && (allowed[word] >> (id % 64) & 1) != 0);
  }
  bool allows_none() const;
  bool has_host_stage(StagePosition where) const;
  void restart();
  void forget();
  std::span<const float> edit(std::span<const float> logits);
  Token fallback() const;
  void choose_one(Token id);
  void run_host_stages(StagePosition where);
  void truncate();
  Token draw();
  void remember(Token id);
};

bool Sampler::Impl::has_host_stage(StagePosition where) const {
  return std::any_of(host_stages.begin(), host_stages.end(), [&](const HostStage& s) { return s.where == where; });
}

bool Sampler::Impl::allows_none() const {
  for (Token id = 0; id < n_vocab; ++id) {
    if (allows(id)) return false;
  }
  return true;
}

void Sampler::Impl::restart() {
  rng = Rng(options.seed);
  forget();
}

void Sampler::Impl::forget() {
  mirostat.mu = 2 * options.mirostat_tau;
  history.clear();
  window.clear();
  candidates.items.clear();
}

/// Logits after bias, penalties and DRY; the caller's own when none of them is on.
std::span<const float> Sampler::Impl::edit(std::span<const float> logits) {
  const bool has_dry = uses_dry(options);
  if (allowed.empty() && options.logit_bias.empty() && window.distinct().empty() && !has_dry) return logits;
  edited.assign(logits.begin(), logits.end());
  if (!allowed.empty()) sample::keep_allowed(edited, allowed);
  sample::apply_bias(edited, options.logit_bias);
  sample::apply_penalties(edited, window, options);
  if (has_dry) {
    std::span<const Token> recent = history;
    const int64_t limit = options.dry_penalty_last_n;
    if (limit > 0 && limit < static_cast<int64_t>(recent.size())) recent = recent.last(static_cast<size_t>(limit));
    sample::apply_dry(edited, recent, breakers, options, dry_scratch);
  }
  return edited;
}

/// The lowest id that no bias forbids; if there is none, the lowest that is allowed.
Token Sampler::Impl::fallback() const {
  Token lowest = -1;
  for (Token id = 0; id < n_vocab; ++id) {
    if (!allows(id)) continue;
    if (lowest < 0) lowest = id;
    const bool forbidden = std::any_of(options.logit_bias.begin(), options.logit_bias.end(),
                                       [&](const auto& b) { return b.first == id && b.second == kForbidden; });
    if (!forbidden) return id;
  }
  return std::max(lowest, 0);
}

void Sampler::Impl::choose_one(Token id) {
  candidates.items.assign(1, {id, 0, 1});
  candidates.sorted = true;
}

/// After each: drops what a host must not leave (NaN, -inf, foreign ids); +inf wins; never empty.
void Sampler::Impl::run_host_stages(StagePosition where) {
  std::vector<Candidate>& items = candidates.items;
  for (const HostStage& stage : host_stages) {
    if (stage.where != where) continue;
    const Candidate best = *std::min_element(items.begin(), items.end(), sample::is_better);
    stage.run(candidates);
    std::erase_if(items, [&](const Candidate& c) {
      return c.id < 0 || c.id >= n_vocab || !allows(c.id) || !(c.logit > kForbidden);
    });
    const auto wins = [](const Candidate& c) { return c.logit == -kForbidden; };
    if (std::any_of(items.begin(), items.end(), wins)) {
      std::erase_if(items, [&](const Candidate& c) { return !wins(c); });
      for (Candidate& c : items) c.logit = 0;
    }
    if (items.empty()) items.push_back(best);
    candidates.sorted = std::is_sorted(items.begin(), items.end(), sample::is_better);
  }
}

void Sampler::Impl::truncate() {
  const SamplerOptions& o = options;
  if (o.top_n_sigma > 0) sample::top_n_sigma(candidates, o.top_n_sigma);
  sample::top_k(candidates, o.top_k > 0 ? std::max(o.top_k, o.min_keep) : 0);
  if (o.typical_p < 1) sample::typical(candidates, o.typical_p, min_keep(), typical_scratch);
  if (o.top_p < 1) sample::top_p(candidates, o.top_p, min_keep());
  if (o.min_p > 0) sample::min_p(candidates, o.min_p, min_keep());
  sample::xtc(candidates, o.xtc_probability, o.xtc_threshold, min_keep(), rng);
}

Token Sampler::Impl::draw() {
  const SamplerOptions& o = options;
  if (o.mirostat == 0) {
    truncate();
    run_host_stages(StagePosition::kAfterTruncation);
    sample::temperature(candidates, o.temperature, o.dynatemp_range, o.dynatemp_exponent);
  } else {
    sample::temperature(candidates, o.temperature, o.dynatemp_range, o.dynatemp_exponent);
    if (o.mirostat == 1) mirostat.truncate_v1(candidates, n_vocab);
    if (o.mirostat == 2) mirostat.truncate_v2(candidates);
    run_host_stages(StagePosition::kAfterTruncation);
  }
  run_host_stages(StagePosition::kLast);
  sample::fill_probabilities(candidates);
  const Candidate& chosen = candidates.items[sample::draw(candidates, rng)];
  if (o.mirostat != 0) mirostat.observe(chosen.p, o.mirostat_tau, o.mirostat_eta);
  return chosen.id;
}

void Sampler::Impl::remember(Token id) {
  if (id < 0 || id >= n_vocab) return;
  const bool has_penalties = uses_penalties(options);
  if (!has_penalties && !uses_dry(options)) return;
  history.push_back(id);
  const int64_t n = static_cast<int64_t>(history.size());
  if (has_penalties) {
    const int64_t last_n = options.penalty_last_n;
    undo_on_exception([&] { window.add(id); }, [&] { history.pop_back(); });
    if (last_n > 0 && n > last_n) window.remove(history[static_cast<size_t>(n - 1 - last_n)]);
  }
  const int64_t penalties_need = has_penalties ? options.penalty_last_n : 0;
  const int64_t dry_needs = uses_dry(options) ? options.dry_penalty_last_n : 0;
  if (dry_needs < 0) return;
  // With penalties over everything the counts suffice.
  const int64_t needed = std::max({penalties_need, dry_needs, int64_t{1}});
  if (n > 2 * needed + 64) history.erase(history.begin(), history.end() - static_cast<ptrdiff_t>(needed));
}

Sampler::Sampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;
Sampler::~Sampler() = default;

Result<Sampler> Sampler::create(int32_t n_logits, const SamplerOptions& options, const Tokenizer* tokenizer) {
  return guard([&]() -> Result<Sampler> {
    const bool known = tokenizer != nullptr && tokenizer->n_vocab() > 0;  // a file may have no vocabulary
    const int32_t n_vocab = known ? std::min(n_logits, tokenizer->n_vocab()) : n_logits;
    if (auto checked = sample::check_options(options, n_vocab); !checked) return checked.error();
    auto impl = std::make_unique<Impl>();
    impl->n_logits = n_logits;
    impl->n_vocab = n_vocab;
    impl->options = options;
    if (uses_penalties(options)) impl->window = sample::TokenCounts(static_cast<size_t>(n_vocab));
    if (uses_dry(options) && tokenizer) {
      const std::vector<std::string> usual = {"\n", ":", "\"", "*"};
      impl->breakers = sample::find_dry_breakers(*tokenizer, options.dry_breakers.value_or(usual));
    }
    impl->restart();
    return Sampler(std::move(impl));
  });
}

Result<Sampler> Sampler::clone() const {
  return guard([&]() -> Result<Sampler> { return Sampler(std::make_unique<Impl>(*impl_)); });
}

void Sampler::add_stage(StagePosition where, SamplerStage stage) {
  const auto add = [&] {
    if (stage) impl_->host_stages.push_back({where, std::move(stage)});
    return true;
  };
  if (!guard_or(false, add)) impl_->forgot = true;
}

Result<Token> Sampler::sample(std::span<const float> logits, std::span<const uint64_t> allowed) {
  return guard([&]() -> Result<Token> {
    Impl& impl = *impl_;
    impl.allowed = allowed;
    const bool has_choice = !allowed.empty() && !impl.allows_none();
    Result<Token> token =
        has_choice ? sample(logits) : Error{ErrorCode::kInvalidArgument, "sampler: no token is allowed"};
    impl.allowed = {};
    return token;
  });
}

Result<Token> Sampler::sample(std::span<const float> logits) {
  return guard([&]() -> Result<Token> {
    Impl& impl = *impl_;
    if (std::exchange(impl.forgot, false)) {
      return Error{ErrorCode::kOutOfMemory, "sampler: no memory for a token or a stage that it was given"};
    }
    if (static_cast<int64_t>(logits.size()) != impl.n_logits) {
      return Error{ErrorCode::kInvalidArgument,
                   concat("sampler: got ", logits.size(), " logits, but was made for ", impl.n_logits)};
    }
    const SamplerOptions& o = impl.options;
    const std::span<const float> edited = impl.edit(logits.first(static_cast<size_t>(impl.n_vocab)));
    const bool is_greedy = impl.is_greedy();
    if (is_greedy && impl.host_stages.empty()) {
      const Token best = sample::argmax(edited);
      impl.choose_one(best >= 0 ? best : impl.fallback());
      return impl.candidates.items.front().id;
    }
    // Top-k can be taken while gathering when nothing before it needs the others.
    const bool needs_all = is_greedy || o.mirostat != 0 || o.top_k <= 0 || o.top_n_sigma > 0 ||
                           impl.has_host_stage(StagePosition::kBeforeTruncation);
    sample::gather(impl.candidates, edited, needs_all ? 0 : static_cast<size_t>(std::max(o.top_k, o.min_keep)));
    if (impl.candidates.items.empty()) impl.choose_one(impl.fallback());
    impl.run_host_stages(StagePosition::kBeforeTruncation);
    if (!is_greedy) return impl.draw();
    impl.run_host_stages(StagePosition::kAfterTruncation);
    impl.run_host_stages(StagePosition::kLast);
    sample::keep_best(impl.candidates, 1);
    impl.candidates.items.front().p = 1;
    return impl.candidates.items.front().id;
  });
}

void Sampler::accept(Token id) {
  const auto remember = [&] {
    impl_->remember(id);
    return true;
  };
  if (!guard_or(false, remember)) impl_->forgot = true;
}

void Sampler::reset() {
  impl_->restart();
}

void Sampler::reset_history() {
  impl_->forget();
}

std::span<const Candidate> Sampler::last_candidates() const {
  impl_->candidates.sort();
  return impl_->candidates.items;
}

}  // namespace hearth
