// Stages on logits that look at single tokens: bias, repetition, presence and frequency.
#include <algorithm>
#include <limits>

#include "lib/sample/stages.h"

namespace hearth::sample {

void TokenCounts::add(Token id) {
  const size_t i = static_cast<size_t>(id);
  if (count_[i] == 0) {
    place_[i] = distinct_.size();
    distinct_.push_back(id);
  }
  ++count_[i];
}

void TokenCounts::remove(Token id) {
  const size_t i = static_cast<size_t>(id);
  if (--count_[i] > 0) return;
  const Token moved = distinct_.back();
  distinct_[place_[i]] = moved;
  place_[static_cast<size_t>(moved)] = place_[i];
  distinct_.pop_back();
}

void TokenCounts::clear() {
  for (Token id : distinct_) count_[static_cast<size_t>(id)] = 0;
  distinct_.clear();
}

void keep_allowed(std::span<float> logits, std::span<const uint64_t> allowed) {
  constexpr float kForbidden = -std::numeric_limits<float>::infinity();
  for (size_t begin = 0; begin < logits.size(); begin += 64) {
    const uint64_t word = begin / 64 < allowed.size() ? allowed[begin / 64] : 0;
    if (word == ~uint64_t{0}) continue;
    const size_t end = std::min(begin + 64, logits.size());
    for (size_t id = begin; id < end; ++id) {
      if ((word >> (id - begin) & 1) == 0) logits[id] = kForbidden;
    }
  }
}

void apply_bias(std::span<float> logits, std::span<const std::pair<Token, float>> bias) {
  for (const auto& [id, value] : bias) {
    float& logit = logits[static_cast<size_t>(id)];
    // +inf + -inf would be NaN, which counts as -inf: forbidding wins.
    logit += value;
  }
}

void apply_penalties(std::span<float> logits, const TokenCounts& window, const SamplerOptions& options) {
  for (Token id : window.distinct()) {
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit <= 0 ? logit * options.repeat_penalty : logit / options.repeat_penalty;
    logit -= static_cast<float>(window.count(id)) * options.frequency_penalty + options.presence_penalty;
  }
}

}  // namespace hearth::sample
