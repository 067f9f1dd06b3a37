// Search of special tokens: one pass with a trie, then claims in order of length.
#include "lib/tokenizer/special_splitter.h"

#include <algorithm>

namespace hearth {
namespace {

enum Owner : uint8_t { kFree = 0, kToken = 1, kDropped = 2 };

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

ByteTrie trie_of(const std::vector<SpecialToken>& tokens) {
  std::vector<ByteTrie::Entry> entries;
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    entries.push_back({tokens[rank].text, static_cast<int32_t>(rank)});
  }
  return ByteTrie(std::move(entries));
}

}  // namespace

SpecialSplitter::SpecialSplitter(std::vector<SpecialToken> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const SpecialToken& a, const SpecialToken& b) { return a.text.size() > b.text.size(); });
  trie_ = trie_of(tokens_);
}

int32_t SpecialSplitter::longest_at(std::string_view text, size_t begin, size_t end, size_t span_end,
                                    WalkBudget& budget) const {
  int32_t longest = -1;
  uint32_t node = trie_.root();
  size_t i = begin;
  for (; i < end; ++i) {
    node = trie_.child(node, text[i]);
    if (node == ByteTrie::kNone) break;
    const int32_t rank = trie_.value(node);
    if (rank >= 0 && (i < span_end || tokens_[static_cast<size_t>(rank)].anywhere)) longest = rank;
  }
  budget.spend(i - begin);
  return longest;
}

/// Takes the candidates one after the other; one that no longer fits is tried again as a shorter token.
std::vector<SpecialSplitter::Candidate> SpecialSplitter::claim(std::string_view text, std::vector<Candidate> heap,
                                                               std::vector<uint8_t>& owner, WalkBudget& budget) const {
  std::vector<Candidate> claims;
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty() && !budget.is_spent()) {
    std::pop_heap(heap.begin(), heap.end());
    const Candidate candidate = heap.back();
    heap.pop_back();
    const SpecialToken& token = tokens_[candidate.rank];
    const size_t end = candidate.begin + token.text.size();
    size_t free_end = candidate.begin;
    while (free_end < end && owner[free_end] == kFree) ++free_end;
    budget.spend(free_end - candidate.begin);
    if (free_end < end) {
      const int32_t shorter = longest_at(text, candidate.begin, free_end, candidate.span_end, budget);
      if (shorter < 0) continue;
      heap.push_back({static_cast<uint32_t>(shorter), candidate.begin, candidate.span_end});
      std::push_heap(heap.begin(), heap.end());
      continue;
    }
    std::fill(owner.begin() + static_cast<ptrdiff_t>(candidate.begin), owner.begin() + static_cast<ptrdiff_t>(end),
              static_cast<uint8_t>(kToken));
    claims.push_back(candidate);
    if (token.eats_space_left) {
      for (size_t i = candidate.begin; i > 0 && owner[i - 1] == kFree && is_blank(text[i - 1]); --i) {
        owner[i - 1] = kDropped;
      }
    }
    if (token.eats_space_right) {
      for (size_t i = end; i < text.size() && owner[i] == kFree && is_blank(text[i]); ++i) owner[i] = kDropped;
    }
  }
  std::sort(claims.begin(), claims.end(), [](const Candidate& a, const Candidate& b) { return a.begin < b.begin; });
  return claims;
}

Status SpecialSplitter::split(std::string_view text, const std::span<const TextSpan>* spans,
                              std::vector<Fragment>& out) const {
  if (text.empty()) return {};
  WalkBudget budget(text);
  std::vector<Candidate> candidates;
  if (!trie_.empty()) {
    size_t span = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      if (trie_.child(trie_.root(), text[i]) == ByteTrie::kNone) continue;
      while (spans && span < spans->size() && (*spans)[span].end <= i) ++span;
      const bool inside = !spans || (span < spans->size() && (*spans)[span].begin <= i);
      const size_t span_end = !inside ? 0 : spans ? (*spans)[span].end : text.size();
      const int32_t rank = longest_at(text, i, text.size(), span_end, budget);
      if (budget.is_spent()) return WalkBudget::error();
      if (rank >= 0) candidates.push_back({static_cast<uint32_t>(rank), i, span_end});
    }
  }
  if (candidates.empty()) {
    out.push_back({text, -1});
    return {};
  }

  std::vector<uint8_t> owner(text.size(), kFree);
  size_t begin = 0;
  const auto add_text = [&](size_t end) {
    while (begin < end && owner[begin] == kDropped) ++begin;
    size_t stop = end;
    while (stop > begin && owner[stop - 1] == kDropped) --stop;
    if (stop > begin) out.push_back({text.substr(begin, stop - begin), -1});
  };
  const std::vector<Candidate> claims = claim(text, std::move(candidates), owner, budget);
  if (budget.is_spent()) return WalkBudget::error();
  for (const Candidate& found : claims) {
    const SpecialToken& token = tokens_[found.rank];
    add_text(found.begin);
    out.push_back({text.substr(found.begin, token.text.size()), token.id});
    begin = found.begin + token.text.size();
  }
  add_text(text.size());
  return {};
}

}  // namespace hearth
