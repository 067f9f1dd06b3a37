// DRY, the penalty on continued repetitions, and how its breakers are found in a vocabulary.
#include <algorithm>
#include <utility>

#include "lib/sample/exact_math.h"
#include "lib/sample/stages.h"

namespace hearth::sample {
namespace {

constexpr size_t kMaxBreakerBytes = 40;
constexpr size_t kMaxTailTokens = 20;

struct HeadLess {
  bool operator()(const DryBreaker& a, Token b) const { return a.head < b; }
  bool operator()(Token a, const DryBreaker& b) const { return a < b.head; }
};

std::span<const DryBreaker> breakers_of(std::span<const DryBreaker> breakers, Token head) {
  const auto [first, last] = std::equal_range(breakers.begin(), breakers.end(), head, HeadLess{});
  return {first, last};
}

bool is_single_token_breaker(std::span<const DryBreaker> breakers, Token id) {
  const auto found = breakers_of(breakers, id);
  return std::any_of(found.begin(), found.end(), [](const DryBreaker& b) { return b.tail.empty(); });
}

/// Tokens after the last breaker of the history: no repetition may be longer.
int32_t tokens_after_breaker(std::span<const Token> history, std::span<const DryBreaker> breakers) {
  const size_t n = history.size();
  for (size_t back = 0; back < n; ++back) {  // how far the head is from the end
    int64_t longest = -1;
    for (const DryBreaker& breaker : breakers_of(breakers, history[n - 1 - back])) {
      const size_t length = breaker.tail.size();
      if (length > back || static_cast<int64_t>(length) <= longest) continue;
      if (std::equal(breaker.tail.begin(), breaker.tail.end(), history.begin() + static_cast<ptrdiff_t>(n - back))) {
        longest = static_cast<int64_t>(length);
      }
    }
    if (longest >= 0) return static_cast<int32_t>(static_cast<int64_t>(back) - longest);
  }
  return static_cast<int32_t>(n);
}

/// match[k], 1 <= k < n: how many tokens before the end, the last included, are also found k tokens earlier.
/// The Z function of the reversed history (Gusfield 1997, section 1.4): linear time.
void find_matches(std::vector<int32_t>& match, std::span<const Token> history) {
  const size_t n = history.size();
  match.assign(n, 0);
  const auto at = [&](size_t back) { return history[n - 1 - back]; };
  size_t left = 0, right = 0;  // the known match reaches over [left, right)
  for (size_t k = 1; k < n; ++k) {
    size_t length = k < right ? std::min(right - k, static_cast<size_t>(match[k - left])) : 0;
    while (k + length < n && at(length) == at(k + length)) ++length;
    match[k] = static_cast<int32_t>(length);
    if (k + length > right) {
      left = k;
      right = k + length;
    }
  }
}

}  // namespace

std::vector<DryBreaker> find_dry_breakers(const Tokenizer& tokenizer, std::span<const std::string> texts) {
  std::vector<DryBreaker> found;
  const auto add = [&](Token head, std::vector<Token> tail) {
    for (auto b = found.rbegin(); b != found.rend() && b->head == head; ++b) {
      if (b->tail == tail) return;
    }
    found.push_back({head, std::move(tail)});
  };
  for (Token id = 0; id < tokenizer.n_vocab(); ++id) {
    const std::string_view piece = tokenizer.piece(id);
    for (const std::string& whole : texts) {
      const std::string_view text = std::string_view(whole).substr(0, kMaxBreakerBytes);
      if (text.empty() || piece.empty()) continue;
      if (piece.find(text) != std::string_view::npos) {
        add(id, {});
        continue;
      }
      // The text may begin at the end of this token and go on in the next ones.
      for (size_t at = piece.size() - std::min(piece.size(), text.size() - 1); at < piece.size(); ++at) {
        const size_t n_inside = piece.size() - at;
        if (piece.substr(at) != text.substr(0, n_inside)) continue;
        auto tail = tokenizer.encode(text.substr(n_inside));
        if (!tail) continue;
        if (tail->size() > kMaxTailTokens) tail->resize(kMaxTailTokens);
        add(id, std::move(*tail));
      }
    }
  }
  return found;
}

void apply_dry(std::span<float> logits, std::span<const Token> history, std::span<const DryBreaker> breakers,
               const SamplerOptions& options, DryScratch& scratch) {
  const int32_t allowed = options.dry_allowed_length;
  if (static_cast<int64_t>(history.size()) <= allowed) return;
  const int32_t limit = tokens_after_breaker(history, breakers);
  if (limit < allowed) return;

  find_matches(scratch.match, history);
  scratch.longest.resize(logits.size(), 0);
  scratch.touched.clear();
  for (size_t k = 1; k < history.size(); ++k) {
    const int32_t length = std::min(scratch.match[k], limit);
    if (length < allowed) continue;
    const Token next = history[history.size() - k];  // what followed the earlier copy
    int32_t& longest = scratch.longest[static_cast<size_t>(next)];
    if (longest == 0) scratch.touched.push_back(next);
    longest = std::max(longest, length + 1);
  }
  for (Token id : scratch.touched) {
    const int32_t length = std::exchange(scratch.longest[static_cast<size_t>(id)], 0) - 1;
    if (is_single_token_breaker(breakers, id)) continue;
    const double penalty = options.dry_multiplier * exact_pow(options.dry_base, length - allowed);
    logits[static_cast<size_t>(id)] -= static_cast<float>(std::min(penalty, 3.0e38));
  }
}

}  // namespace hearth::sample
