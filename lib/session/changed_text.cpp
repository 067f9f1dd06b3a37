// A text that has changed in the middle: what stands in a sequence of its old version is kept where it is unchanged.
#include <algorithm>
#include <string>
#include <unordered_map>

#include "lib/base/guard.h"
#include "lib/session/session_impl.h"
#include "lib/session/write_text.h"

namespace hearth {
namespace {

/// Tokens at [from, from + n) of the old text that stand at [to, to + n) of the new one.
struct Stretch {
  int32_t from, to, n;
};

/// Hashes of every `width` neighboring tokens, as polynomials modulo 2^64.
std::vector<uint64_t> window_hashes(std::span<const Token> text, size_t width) {
  constexpr uint64_t kBase = 0x9e3779b97f4a7c15;
  std::vector<uint64_t> hashes;
  uint64_t hash = 0, leaving = 1;
  for (size_t i = 0; i < width; ++i) leaving *= kBase;
  for (size_t i = 0; i < text.size(); ++i) {
    hash = hash * kBase + static_cast<uint32_t>(text[i]) + 1;
    if (i >= width) hash -= leaving * (static_cast<uint64_t>(static_cast<uint32_t>(text[i - width])) + 1);
    if (i + 1 >= width) hashes.push_back(hash);
  }
  return hashes;
}

/// Stretches of at least `least` tokens that both texts have after the first n_common, in the same order in both: each
/// is the first that fits, as long as it goes on.
std::vector<Stretch> unchanged_stretches(std::span<const Token> old_text, std::span<const Token> text, int32_t n_common,
                                         int32_t least) {
  const auto first = static_cast<size_t>(n_common), width = static_cast<size_t>(least);
  const auto of_old = window_hashes(old_text.subspan(first), width), of_new = window_hashes(text.subspan(first), width);
  std::unordered_map<uint64_t, std::vector<size_t>> places;
  for (size_t i = 0; i < of_old.size(); ++i) places[of_old[i]].push_back(first + i);
  std::vector<Stretch> stretches;
  size_t next = first;
  for (size_t at = first; at - first < of_new.size();) {
    const auto found = places.find(of_new[at - first]);
    size_t n = 0, from = 0;
    if (found != places.end()) {
      const auto place = std::lower_bound(found->second.begin(), found->second.end(), next);
      from = place == found->second.end() ? old_text.size() : *place;
      while (from + n < old_text.size() && at + n < text.size() && old_text[from + n] == text[at + n]) ++n;
    }
    if (n < width) {
      ++at;
      continue;
    }
    stretches.push_back({static_cast<int32_t>(from), static_cast<int32_t>(at), static_cast<int32_t>(n)});
    next = from + n, at += n;
  }
  return stretches;
}

/// Whether positions after a change can be kept: not where states or windows go with them.
bool may_keep_stretches(const Session& session, const Session::Impl& s, SeqId seq) {
  const KVCache::Impl& cache = KVCacheInternals::of(session.cache());
  const bool has_positions = ModelInternals::of(s.model).hp.max_position > 0;
  if (cache.states.floats() > 0 || has_positions || s.adapters.waits_for_tokens()) return false;
  return std::all_of(cache.groups.begin(), cache.groups.end(),
                     [&](const Sequences& group) { return group.dropped(seq) == 0; });
}

/// Moves what is kept to where it stands now. Stretches keep their order, so that those which move down, from the first
/// on, and then those which move up, from the last on, meet nothing. Tokens that were kept.
Result<int32_t> move_stretches(Session& session, SeqId seq, std::span<const Stretch> stretches) {
  int32_t kept = 0;
  const auto move = [&](const Stretch& s) -> Status {
    Status status = session.shift(seq, s.from, s.from + s.n, s.to - s.from);
    if (status) kept += s.n;
    if (status || status.error().code != ErrorCode::kContextFull) return status;
    return session.cache().remove(seq, s.from, s.from + s.n);  // no page is free: it is computed again
  };
  for (const Stretch& s : stretches) {
    if (s.to > s.from) continue;
    if (Status status = move(s); !status) return status.error();
  }
  for (size_t i = stretches.size(); i-- > 0;) {
    if (stretches[i].to <= stretches[i].from) continue;
    if (Status status = move(stretches[i]); !status) return status.error();
  }
  return kept;
}

int32_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  return static_cast<int32_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

int32_t kept_of(std::span<const Token> old_text, std::span<const Token> tokens, int32_t min_stretch) {
  const auto text = tokens.first(tokens.size() - 1);
  int32_t kept = common_prefix(old_text, text);
  for (const Stretch& s : unchanged_stretches(old_text, text, kept, min_stretch)) kept += s.n;
  return kept;
}

Result<int32_t> Session::reuse_changed(SeqId seq, std::span<const Token> tokens, int32_t min_stretch) {
  return guard([&]() -> Result<int32_t> {
    if (min_stretch < 1) return Error{ErrorCode::kInvalidArgument, "min_stretch is below 1"};
    if (tokens.empty()) return Error{ErrorCode::kInvalidArgument, "reuse_changed: no tokens"};
    const std::vector<Token> old_text = cached_tokens(cache(), seq);
    const auto text = tokens.first(tokens.size() - 1);
    const int32_t n_common = common_prefix(old_text, text);
    if (seq < 0 || seq >= options().n_seqs || !may_keep_stretches(*this, *impl_, seq)) {
      return keep_common(*this, seq, old_text, tokens);
    }
    const auto stretches = unchanged_stretches(old_text, text, n_common, min_stretch);
    if (n_common == 0 && stretches.empty()) return reuse(seq, tokens);
    int32_t end = n_common;  // of what is kept so far
    for (const Stretch& s : stretches) {
      if (Status status = cache().remove(seq, end, s.from); !status) return status.error();
      end = s.from + s.n;
    }
    if (Status status = cache().remove(seq, end, -1); !status) return status.error();
    const Result<int32_t> kept = move_stretches(*this, seq, stretches);
    return kept ? Result<int32_t>(n_common + *kept) : kept;
  });
}

Result<int32_t> compute_prompt(Session& session, std::span<const Token> prompt, const GenerateOptions& options,
                               bool continues) {
  PrefillOptions prefill{.on_progress = options.on_prompt, .cancel = options.cancel};
  const std::vector<Token> cached = continues ? cached_tokens(session.cache(), 0) : std::vector<Token>();
  prefill.skip_held = continues && options.reuse_stretches > 0;
  const Result<int32_t> known = prefill.skip_held ? session.reuse_changed(0, prompt, options.reuse_stretches)
                                                  : keep_common(session, 0, cached, prompt);
  if (!known) return known.error();
  const auto rest = prefill.skip_held ? prompt : prompt.subspan(static_cast<size_t>(*known));
  if (Status status = session.prefill(rest, prefill); !status) return status.error();
  return *known;
}

}  // namespace hearth
