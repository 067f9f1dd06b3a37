// The int8 dot-product peak: twelve independent accumulators in registers, nothing read from memory.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "machine_limits.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hearth_tool {
namespace {

constexpr int kAccumulators = 12;
constexpr int64_t kRounds = 20'000'000;

/// Runs kRounds rounds of kAccumulators dot products; returns something that depends on all of them.
using PeakLoop = int32_t (*)();

#if defined(__x86_64__)

// Each loop keeps its factors opaque to the compiler, so that no product is hoisted out of the loop.

__attribute__((target("avx512f,avx512bw,avx512vnni"))) int32_t loop_avx512() {
  __m512i acc[kAccumulators], u = _mm512_set1_epi8(3), s = _mm512_set1_epi8(2);
  for (__m512i& a : acc) a = _mm512_setzero_si512();
  for (int64_t i = 0; i < kRounds; ++i) {
    asm volatile("" : "+v"(u), "+v"(s));
    for (__m512i& a : acc) a = _mm512_dpbusd_epi32(a, u, s);
  }
  __m512i total = _mm512_setzero_si512();
  for (const __m512i& a : acc) total = _mm512_add_epi32(total, a);
  int32_t lanes[16];
  std::memcpy(lanes, &total, sizeof(lanes));
  return lanes[0] + lanes[7] + lanes[15];
}

__attribute__((target("avx2"))) int32_t reduce(const __m256i* acc) {
  __m256i total = _mm256_setzero_si256();
  for (int i = 0; i < kAccumulators; ++i) total = _mm256_add_epi32(total, acc[i]);
  int32_t lanes[8];
  std::memcpy(lanes, &total, sizeof(lanes));
  return lanes[0] + lanes[3] + lanes[7];
}

__attribute__((target("avx2,avxvnni"))) int32_t loop_avx_vnni() {
  __m256i acc[kAccumulators], u = _mm256_set1_epi8(3), s = _mm256_set1_epi8(2);
  for (__m256i& a : acc) a = _mm256_setzero_si256();
  for (int64_t i = 0; i < kRounds; ++i) {
    asm volatile("" : "+x"(u), "+x"(s));
    for (__m256i& a : acc) a = _mm256_dpbusd_avx_epi32(a, u, s);
  }
  return reduce(acc);
}

/// Without VNNI: bytes to 16-bit pairs, pairs to 32 bits, and an addition.
__attribute__((target("avx2"))) int32_t loop_avx2() {
  __m256i acc[kAccumulators], u = _mm256_set1_epi8(3), s = _mm256_set1_epi8(2);
  const __m256i ones = _mm256_set1_epi16(1);
  for (__m256i& a : acc) a = _mm256_setzero_si256();
  for (int64_t i = 0; i < kRounds; ++i) {
    for (__m256i& a : acc) {
      asm volatile("" : "+x"(u), "+x"(s));
      a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), ones));
    }
  }
  return reduce(acc);
}

#endif

struct Peak {
  PeakLoop loop = nullptr;
  int macs_per_product = 0;
};

Peak find_peak([[maybe_unused]] std::string_view isa) {
#if defined(__x86_64__)
  if (isa == "avx512" && __builtin_cpu_supports("avx512vnni")) return {loop_avx512, 64};
  if (isa == "avx2vnni") return {loop_avx_vnni, 32};
  if (isa == "avx2" && __builtin_cpu_supports("avx2")) return {loop_avx2, 32};
#endif
  return {};
}

}  // namespace

double measure_int8_peak(const char* isa, int n_threads) {
  const Peak peak = find_peak(isa);
  if (!peak.loop) return 0;
  double best = 0;
  for (int pass = 0; pass < 3; ++pass) {
    std::vector<int32_t> results(static_cast<size_t>(n_threads));
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (int i = 1; i < n_threads; ++i) threads.emplace_back([&, i] { results[static_cast<size_t>(i)] = peak.loop(); });
    results[0] = peak.loop();
    for (std::thread& thread : threads) thread.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double macs = static_cast<double>(kRounds) * kAccumulators * peak.macs_per_product * n_threads;
    volatile int32_t keep = results[0];
    static_cast<void>(keep);
    best = macs / seconds > best ? macs / seconds : best;
  }
  return best;
}

}  // namespace hearth_tool
