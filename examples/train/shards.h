// Shards: documents of the corpus, encoded and packed for the network. A shard depends on the seed and its number
// alone, so that an interrupted run continues with the same data, whatever the number of threads.
#pragma once

#include "examples/train/corpus.h"
#include "examples/train/network.h"
#include "hearth/tokenizer.h"

namespace train {

/// What the words of the user, the system and tools count, where the assistant's count 1. In plain text all count 1,
/// but for the operands of sums, as what a line adds up cannot be known before its "=", and for what a text says for
/// the first time when it is there to be repeated.
constexpr float kContextWeight = 0.05f;

class ShardSource {
 public:
  /// Shards hold at most `tokens` (at least one document of at most n_ctx tokens).
  ShardSource(hearth::Tokenizer tokenizer, uint64_t seed, int64_t tokens, int64_t n_ctx);

  Shard make(uint64_t number, Stage stage) const;
  /// Appends one document, cut at n_ctx; false, and nothing is added, when it does not fit.
  bool append(Shard& shard, const Document& document) const;

 private:
  hearth::Tokenizer tokenizer_;
  uint64_t seed_;
  int64_t tokens_, n_ctx_;
  std::vector<hearth::Token> answer_start_;
  hearth::Token message_start_, message_end_;
};

}  // namespace train
