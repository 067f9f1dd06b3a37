// Reading of the merges.
#include "lib/tokenizer/merge_list.h"

#include <algorithm>

#include "lib/base/concat.h"

namespace hearth {
namespace {

constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr size_t kBlock = 64;

}  // namespace

uint32_t MergeList::symbol_or_new(const Vocab& vocab, std::string_view raw) {
  const uint32_t known = symbol(vocab, raw);
  if (known != kNoSymbol) return known;
  const auto id = static_cast<int32_t>(next_extra_++);
  extra_.insert(raw, id);
  return static_cast<uint32_t>(id);
}

/// Symbol of `left` and `right` together. In published vocabularies merges stand in the order of their tokens, so
/// the last result and the token after it are tried first.
uint32_t MergeList::joined(const Vocab& vocab, std::string_view left, std::string_view right, uint32_t last) {
  const size_t size = left.size() + right.size();
  for (uint32_t guess = last; guess < vocab.raw.size() && guess <= last + 1; ++guess) {
    const std::string_view raw = vocab.raw[guess];
    if (raw.size() == size && raw.starts_with(left) && raw.ends_with(right)) return guess;
  }
  std::string text;
  text.reserve(size);
  text.append(left).append(right);
  const uint32_t known = symbol(vocab, text);
  if (known != kNoSymbol) return known;
  return symbol_or_new(vocab, extra_texts_.emplace_back(std::move(text)));
}

/// Splits the merges of a block and asks the cache for the table rows that they need, which is most of the time of
/// loading: the rows of a big vocabulary are spread over megabytes. What is not two symbols merges nothing.
void MergeList::split_block(const Vocab& vocab, std::span<const std::string_view> merges, size_t first,
                            std::vector<Split>& block) const {
  block.clear();
  for (size_t i = 0; i < merges.size(); ++i) {
    const size_t space = merges[i].find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merges[i].size()) continue;
    const Split split{merges[i].substr(0, space), merges[i].substr(space + 1), first + i};
    vocab.by_raw.prefetch(StringKey(split.left));
    vocab.by_raw.prefetch(StringKey(split.right));
    block.push_back(split);
  }
}

void MergeList::add_block(const Vocab& vocab, std::vector<Split>& block) {
  for (Split& split : block) {
    split.left_symbol = symbol_or_new(vocab, split.left);
    split.right_symbol = symbol_or_new(vocab, split.right);
    last_ = split.joined = joined(vocab, split.left, split.right, last_);
    pairs_.prefetch(split.left_symbol, split.right_symbol);
    if (vocab.escape_spaces) cuts_.learn(split.left, split.right);
  }
  for (const Split& split : block) {
    pairs_.insert(split.left_symbol, split.right_symbol, {static_cast<uint32_t>(split.rank), split.joined});
  }
}

Result<MergeList> MergeList::read(const GgufFile& file, const Vocab& vocab) {
  MergeList list;
  const GgufValue* value = file.find(kMergesKey);
  if (value == nullptr) {
    if (vocab.pre_name == "kimi-k2") return list;  // published without merges
    return Error{ErrorCode::kNotFound, concat(kMergesKey, ": missing")};
  }
  const Result<std::vector<std::string_view>> merges = value->as_string_array();
  if (!merges) return Error{merges.error().code, concat(kMergesKey, ": ", merges.error().message)};
  // every merge may name three new symbols, and all ids must fit a token id
  if (merges->size() > (static_cast<size_t>(INT32_MAX) - vocab.raw.size()) / 3) {
    return Error{ErrorCode::kLimit, concat(kMergesKey, ": too many entries")};
  }
  list.next_extra_ = static_cast<int64_t>(vocab.raw.size());
  list.pairs_.reserve(merges->size());
  std::vector<Split> block;
  for (size_t first = 0; first < merges->size(); first += kBlock) {
    const size_t n = std::min(kBlock, merges->size() - first);
    list.split_block(vocab, std::span(*merges).subspan(first, n), first, block);
    list.add_block(vocab, block);
  }
  return list;
}

}  // namespace hearth
