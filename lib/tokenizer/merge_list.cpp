// Reading of the merges.
#include "lib/tokenizer/merge_list.h"

#include <cstring>

#include "lib/tokenizer/space_mark.h"

namespace hearth {
namespace {

constexpr std::string_view kKey = "tokenizer.ggml.merges";

Error merge_error(size_t index, const char* what) {
  return Error{ErrorCode::kFormat, std::string(kKey) + ": entry " + std::to_string(index) + " " + what};
}

}  // namespace

uint32_t MergeList::symbol_or_new(const Vocab& vocab, std::string_view raw) {
  const uint32_t known = symbol(vocab, raw);
  if (known != kNoSymbol) return known;
  const auto id = static_cast<int32_t>(next_extra_++);
  extra_.insert(raw, id);
  return static_cast<uint32_t>(id);
}

/// Symbol of `left` and `right` together. In published vocabularies merges stand in the order of their tokens, so
/// the token after the last one is tried first.
uint32_t MergeList::joined(const Vocab& vocab, std::string_view left, std::string_view right, uint32_t guess) {
  const size_t size = left.size() + right.size();
  if (guess < vocab.raw.size() && vocab.raw[guess].size() == size && vocab.raw[guess].starts_with(left) &&
      vocab.raw[guess].ends_with(right)) {
    return guess;
  }
  std::string text;
  text.reserve(size);
  text.append(left).append(right);
  const uint32_t known = symbol(vocab, text);
  if (known != kNoSymbol) return known;
  return symbol_or_new(vocab, extra_texts_.emplace_back(std::move(text)));
}

Result<MergeList> MergeList::read(const GgufFile& file, const Vocab& vocab) {
  MergeList list;
  const GgufValue* value = file.find(kKey);
  if (value == nullptr) {
    if (vocab.pre_name == "kimi-k2") return list;  // published without merges
    return Error{ErrorCode::kNotFound, std::string(kKey) + ": missing"};
  }
  const Result<std::vector<std::string_view>> merges = value->as_string_array();
  if (!merges) return Error{merges.error().code, std::string(kKey) + ": " + merges.error().message};
  // every merge may name three new symbols, and all ids must fit a token id
  if (merges->size() > (static_cast<size_t>(INT32_MAX) - vocab.raw.size()) / 3) {
    return Error{ErrorCode::kLimit, std::string(kKey) + ": too many entries"};
  }
  list.next_extra_ = static_cast<int64_t>(vocab.raw.size());
  list.pairs_.reserve(merges->size());
  uint32_t last = 0;
  for (size_t i = 0; i < merges->size(); ++i) {
    const std::string_view merge = (*merges)[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) return merge_error(i, "is not two symbols");
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    if (right.empty()) return merge_error(i, "ends after its first symbol");
    const uint32_t left_symbol = list.symbol_or_new(vocab, left);
    const uint32_t right_symbol = list.symbol_or_new(vocab, right);
    last = list.joined(vocab, left, right, last + 1);
    list.pairs_.insert(left_symbol, right_symbol, {static_cast<uint32_t>(i), last});
    if (vocab.escape_spaces && list.words_are_apart_) {
      const bool between = right.starts_with(kSpaceMark) && !left.ends_with(kSpaceMark);
      list.words_are_apart_ = !between && !spans_words(left) && !spans_words(right);
    }
  }
  return list;
}

}  // namespace hearth
