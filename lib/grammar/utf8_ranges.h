// Ranges of code points as sequences of ranges of bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/grammar/code_set.h"

namespace hearth::grammar {

struct ByteRange {
  uint8_t lo, hi;
  bool operator==(const ByteRange&) const = default;
};

struct ByteSequence {
  uint8_t n = 0;
  ByteRange bytes[4] = {};
};

/// In ascending order; together they match exactly the UTF-8 of the set's characters (no surrogates).
std::vector<ByteSequence> utf8_sequences(const CodeSet& set);

}  // namespace hearth::grammar
