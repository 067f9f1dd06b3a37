// Loops that measure the machine: plain versions.
#include <cstring>

#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {

int64_t int8_peak(int64_t rounds) {
  constexpr int64_t kElements = 256;
  int8_t a[kElements], b[kElements];
  std::memset(a, 3, sizeof a);
  std::memset(b, 5, sizeof b);
  volatile int32_t sink = 0;
  for (int64_t r = 0; r < rounds; ++r) {
    a[r % kElements] = static_cast<int8_t>(r);  // so that the rounds cannot be merged
    int32_t sum = 0;
    for (int64_t i = 0; i < kElements; ++i) sum += int32_t{a[i]} * int32_t{b[i]};
    sink = sum;
  }
  (void)sink;
  return rounds * kElements;
}

uint64_t read_once(const void* bytes, int64_t n) {
  const auto* words = static_cast<const uint64_t*>(bytes);
  uint64_t mix[4] = {};
  for (int64_t i = 0; i + 4 <= n / 8; i += 4) {
    for (int64_t j = 0; j < 4; ++j) mix[j] ^= words[i + j];
  }
  return mix[0] ^ mix[1] ^ mix[2] ^ mix[3];
}

}  // namespace hearth::kernels::reference
