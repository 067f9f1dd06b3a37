// A batch: the tokens that one decode() computes, of one sequence or of several.
//
//   std::vector<hearth::BatchToken> batch{{.id = 17, .pos = 0, .seq = 0}, {.id = 4, .pos = 1, .seq = 0, .logits =
//   true}}; hearth::Status done = session.decode(batch);
#pragma once

#include <cstdint>

namespace hearth {

/// Index into the vocabulary.
using Token = int32_t;

/// Names a sequence of a session: 0 <= id < SessionOptions::n_seqs.
using SeqId = int32_t;

/// One token to compute: where it stands, and whether its logits are wanted.
struct BatchToken {
  Token id = 0;
  int32_t pos = 0;
  SeqId seq = 0;
  bool logits = false;
};

}  // namespace hearth
