// CPUID and XGETBV: which features exist, and which register files the operating system saves at a task switch.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 1, sections 13.3, 14.3 and 15.2.
#include "kernels/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#endif

namespace hearth::kernels {
namespace {

#if defined(__x86_64__)
struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

/// XCR0: bit 1 SSE, 2 AVX (YMM), 5..7 AVX-512 (masks, ZMM_Hi256, Hi16_ZMM).
uint64_t saved_state(uint32_t leaf1_ecx) {
  constexpr uint32_t kOsxsave = 1u << 27;
  if ((leaf1_ecx & kOsxsave) == 0) return 0;
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

bool has(uint32_t word, int bit) {
  return ((word >> bit) & 1u) != 0;
}

CpuFeatures detect() {
  const Registers one = cpuid(1, 0);
  const Registers seven = cpuid(7, 0);
  const Registers seven_1 = cpuid(7, 1);
  const uint64_t saved = saved_state(one.ecx);
  const bool os_ymm = (saved & 0x6) == 0x6;
  const bool os_zmm = (saved & 0xe6) == 0xe6;

  CpuFeatures f;
  const bool fma = has(one.ecx, 12), avx = has(one.ecx, 28), f16c = has(one.ecx, 29);
  const bool bmi1 = has(seven.ebx, 3), avx2 = has(seven.ebx, 5), bmi2 = has(seven.ebx, 8);
  f.avx2 = os_ymm && avx && avx2 && fma && f16c && bmi1 && bmi2;
  f.avx_vnni = f.avx2 && has(seven_1.eax, 4);
  const bool avx512_base = has(seven.ebx, 16) && has(seven.ebx, 17) && has(seven.ebx, 30) && has(seven.ebx, 31);
  f.avx512 = f.avx2 && os_zmm && avx512_base && has(seven.ecx, 11);
#ifdef HEARTH_EMULATE_ISAS
  f.avx_vnni = f.avx512 = f.avx2;
#endif
  f.avx512_bf16 = f.avx512 && has(seven_1.eax, 5);
  f.avx512_fp16 = f.avx512 && has(seven.edx, 23);
  f.avx512_vbmi = f.avx512 && has(seven.ecx, 1);
  return f;
}
#else
CpuFeatures detect() {
  return {};
}
#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace hearth::kernels
