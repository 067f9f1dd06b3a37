// Splits ranges of code points where the length of their UTF-8 or the first bytes change.
#include "lib/grammar/utf8_ranges.h"

#include <algorithm>

namespace hearth::grammar {
namespace {

struct Length {
  uint32_t last;  ///< code point of that many bytes
  uint8_t n;
};
constexpr Length kLengths[] = {{0x7F, 1}, {0x7FF, 2}, {0xFFFF, 3}, {kMaxCode, 4}};
constexpr uint8_t kLeads[] = {0, 0, 0xC0, 0xE0, 0xF0};

uint8_t byte_of(uint32_t code, int n, int i) {
  const auto bits = static_cast<uint8_t>(code >> (6 * (n - 1 - i)));
  return i == 0 ? static_cast<uint8_t>(kLeads[n] | bits) : static_cast<uint8_t>(0x80 | (bits & 0x3F));
}

/// lo and hi have n bytes; only the last bytes from some place on span all values.
void add_aligned(uint32_t lo, uint32_t hi, uint8_t n, std::vector<ByteSequence>& out) {
  ByteSequence sequence{.n = n};
  for (int i = 0; i < n; ++i) sequence.bytes[i] = {byte_of(lo, n, i), byte_of(hi, n, i)};
  out.push_back(sequence);
}

void add_range(uint32_t lo, uint32_t hi, uint8_t n, std::vector<ByteSequence>& out) {
  while (lo <= hi) {
    uint32_t end = hi;
    for (int k = 1; k < n; ++k) {  // the part until the first `k` bytes from the end are full
      const uint32_t mask = (1u << (6 * k)) - 1;
      if ((lo & ~mask) == (end & ~mask)) continue;
      if ((lo & mask) != 0) {
        end = lo | mask;
      } else if ((end & mask) != mask) {
        end = (end & ~mask) - 1;
      }
    }
    add_aligned(lo, end, n, out);
    lo = end + 1;
  }
}

}  // namespace

std::vector<ByteSequence> utf8_sequences(const CodeSet& set) {
  CodeSet characters = CodeSet(0, 0xD7FF);
  characters.add(0xE000, kMaxCode);
  std::vector<ByteSequence> out;
  const CodeSet wanted = set.common(characters);
  for (const CodeRange& range : wanted.ranges()) {
    uint32_t lo = range.lo;
    for (const Length& length : kLengths) {
      if (lo > range.hi) break;
      const uint32_t end = std::min(range.hi, length.last);
      if (lo > end) continue;
      add_range(lo, end, length.n, out);
      lo = end + 1;
    }
  }
  return out;
}

}  // namespace hearth::grammar
