// The table of processor features, and how they are found. x86: CPUID and XGETBV say which exist, and which register
// files the operating system saves at a task switch. Source: Intel 64 and IA-32 Architectures Software Developer's
// Manual, vol. 1, sections 13.3, 14.3 and 15.2, vol. 2, CPUID. 64-bit ARM: the operating system says it, as programs
// may not ask the processor: Linux and Android in the auxiliary vector (Documentation/arch/arm64/elf_hwcaps.rst of the
// kernel), Apple's by sysctl ("Determining instruction set characteristics"), Windows by IsProcessorFeaturePresent.
#include "kernels/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__) && defined(_WIN32)
#include <windows.h>
#endif

#include <cstddef>
#include <cstdint>

namespace hearth::kernels {
#if defined(__wasm__)
extern const bool kHoldsRelaxedSimd __attribute__((weak));
#endif
namespace {

#if defined(__x86_64__)
enum class Register { kEax, kEbx, kEcx, kEdx };

/// Register files in XCR0: bit 1 SSE, 2 AVX (YMM), 5..7 AVX-512 (masks, ZMM_Hi256, Hi16_ZMM), 17 and 18 tiles (their
/// shapes, and they themselves).
constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x600e6;

/// A bit of CPUID, and the register files that the feature uses.
struct Feature {
  std::string_view name;
  uint32_t leaf, subleaf;
  Register word;
  int bit;
  uint64_t registers;
};
constexpr Feature kFeatures[] = {
    {"AVX", 1, 0, Register::kEcx, 28, kYmm},        {"FMA", 1, 0, Register::kEcx, 12, kYmm},
    {"F16C", 1, 0, Register::kEcx, 29, kYmm},       {"BMI1", 7, 0, Register::kEbx, 3, 0},
    {"BMI2", 7, 0, Register::kEbx, 8, 0},           {"AVX2", 7, 0, Register::kEbx, 5, kYmm},
    {"AVX-VNNI", 7, 1, Register::kEax, 4, kYmm},    {"AVX512F", 7, 0, Register::kEbx, 16, kZmm},
    {"AVX512DQ", 7, 0, Register::kEbx, 17, kZmm},   {"AVX512BW", 7, 0, Register::kEbx, 30, kZmm},
    {"AVX512VL", 7, 0, Register::kEbx, 31, kZmm},   {"AVX512-VNNI", 7, 0, Register::kEcx, 11, kZmm},
    {"AVX512-BF16", 7, 1, Register::kEax, 5, kZmm}, {"AMX-TILE", 7, 0, Register::kEdx, 24, kTiles},
    {"AMX-BF16", 7, 0, Register::kEdx, 22, kTiles},
};

/// The word of CPUID in one of its four registers; 0 for leaves that the processor does not have.
uint32_t cpuid(uint32_t leaf, uint32_t subleaf, Register word) {
  uint32_t r[4] = {};
  if (__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) == 0) return 0;
  return r[static_cast<size_t>(word)];
}

/// XCR0; 0 where the operating system does not let programs read it.
uint64_t saved_registers() {
  constexpr uint32_t kOsxsave = 1u << 27;
  if ((cpuid(1, 0, Register::kEcx) & kOsxsave) == 0) return 0;
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

/// Whether this process may use tiles. Linux (5.16) wants to be asked, as they make what it saves of a thread larger by
/// 8 KiB: Documentation/arch/x86/xstate.rst of the kernel. It refuses where a thread's stack for signals is too small.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool permitted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return permitted;
#else
  return false;
#endif
}

bool has(const Feature& feature) {
  if ((cpuid(feature.leaf, feature.subleaf, feature.word) >> feature.bit & 1u) == 0) return false;
  if ((saved_registers() & feature.registers) != feature.registers) return false;
  return feature.registers != kTiles || may_use_tiles();
}
#elif defined(__aarch64__)
/// A feature beyond Armv8.0 (where Advanced SIMD and conversions of half precision always are), by the names that each
/// operating system has for it: a bit of the auxiliary vector's entry, a sysctl, a number.
struct Feature {
  std::string_view name;
  uint64_t linux_entry;
  int linux_bit;
  const char* apple;
  uint32_t windows;
};
constexpr uint64_t kHwcap = 16, kHwcap2 = 26;  // AT_HWCAP, AT_HWCAP2
constexpr Feature kFeatures[] = {
    {"DOTPROD", kHwcap, 20, "hw.optional.arm.FEAT_DotProd", 43},
    {"I8MM", kHwcap2, 13, "hw.optional.arm.FEAT_I8MM", 66},
};

bool has(const Feature& feature) {
#if defined(__linux__)
  return (getauxval(feature.linux_entry) >> feature.linux_bit & 1u) != 0;
#elif defined(__APPLE__)
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(feature.apple, &value, &size, nullptr, 0) == 0 && value != 0;
#elif defined(_WIN32)
  return IsProcessorFeaturePresent(feature.windows) != 0;
#else
  static_cast<void>(feature);
  return false;
#endif
}
#elif defined(__wasm__)
/// A module holds no instruction that its engine lacks: it is refused whole. What it is linked with, it may use.
struct Feature {
  std::string_view name;
};
constexpr Feature kFeatures[] = {{"RELAXED-SIMD"}};

bool has(const Feature& /*feature*/) {
  return &kHoldsRelaxedSimd != nullptr;
}
#else
struct Feature {
  std::string_view name;
};
constexpr Feature kFeatures[] = {{"none"}};

bool has(const Feature& /*feature*/) {
  return false;
}
#endif

const Feature* find(std::string_view name) {
  for (const Feature& feature : kFeatures) {
    if (feature.name == name) return &feature;
  }
  return nullptr;
}

/// Whether `test` holds for the feature of every name in the list; nullptr stands for a name that the table lacks.
template <typename Test>
bool all_of(std::string_view features, Test test) {
  while (!features.empty()) {
    const size_t end = features.find(' ');
    const std::string_view name = features.substr(0, end);
    features.remove_prefix(end == std::string_view::npos ? features.size() : end + 1);
    if (!name.empty() && !test(find(name))) return false;
  }
  return true;
}

}  // namespace

bool cpu_has(std::string_view features) {
  return all_of(features, [](const Feature* feature) { return feature != nullptr && has(*feature); });
}

bool cpu_features_known(std::string_view features) {
  return all_of(features, [](const Feature* feature) { return feature != nullptr; });
}

}  // namespace hearth::kernels
