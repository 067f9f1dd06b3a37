// Which instruction sets are compiled in, which one runs, and how it is forced.
#include "kernels/dispatch.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

#include "hearth/cpu.h"
#include "kernels/overlays.h"

namespace hearth::kernels {
namespace {

bool always(const CpuFeatures&) {
  return true;
}

void overlay_all_reference(KernelTable& table) {
  overlay_reference(table);
  overlay_matmul_reference(table);
}
#if defined(HEARTH_HAVE_AVX2)
void overlay_all_avx2(KernelTable& table) {
  overlay_avx2(table);
  overlay_matmul_avx2(table);
}
#endif
#if defined(HEARTH_HAVE_AVX_VNNI)
void overlay_all_avx_vnni(KernelTable& table) {
  overlay_avx_vnni(table);
  overlay_matmul_avx_vnni(table);
}
#endif
#if defined(HEARTH_HAVE_AVX512)
void overlay_all_avx512(KernelTable& table) {
  overlay_avx512(table);
  overlay_matmul_avx512(table);
}
#endif

/// Slowest first; each row is at least as fast as its base.
constexpr IsaRow kIsaRows[] = {
    {"scalar", "nothing", always, overlay_all_reference, nullptr},
#if defined(HEARTH_HAVE_AVX2)
    {"avx2", "AVX2, FMA, F16C, BMI2", [](const CpuFeatures& cpu) { return cpu.avx2; }, overlay_all_avx2, "scalar"},
#endif
#if defined(HEARTH_HAVE_AVX_VNNI)
    {"avx_vnni", "AVX2, AVX-VNNI", [](const CpuFeatures& cpu) { return cpu.avx_vnni; }, overlay_all_avx_vnni, "avx2"},
#endif
#if defined(HEARTH_HAVE_AVX512)
    {"avx512", "AVX-512 F, BW, DQ, VL, VNNI", [](const CpuFeatures& cpu) { return cpu.avx512; }, overlay_all_avx512,
     "scalar"},
#endif
};
constexpr int kIsaCount = static_cast<int>(std::size(kIsaRows));

int find_row(std::string_view name) {
  for (int i = 0; i < kIsaCount; ++i) {
    if (name == kIsaRows[i].name) return i;
  }
  return -1;
}

using Tables = std::array<KernelTable, kIsaCount>;

/// The tables that this machine can run. Filling one executes code compiled for its set, so the others stay empty.
const Tables& tables() {
  static const Tables all = [] {
    Tables t{};
    for (int i = 0; i < kIsaCount; ++i) {
      const IsaRow& row = kIsaRows[i];
      if (!row.usable(cpu_features())) continue;
      if (row.base != nullptr) t[static_cast<size_t>(i)] = t[static_cast<size_t>(find_row(row.base))];
      row.overlay(t[static_cast<size_t>(i)]);
      t[static_cast<size_t>(i)].isa = row.name;
    }
    return t;
  }();
  return all;
}

int fastest_usable() {
  int best = 0;
  for (int i = 0; i < kIsaCount; ++i) {
    if (kIsaRows[i].usable(cpu_features())) best = i;
  }
  return best;
}

Result<int> choose(std::string_view name) {
  const int row = find_row(name);
  if (row < 0) return Error{ErrorCode::kNotFound, "unknown instruction set '" + std::string(name) + "'"};
  if (!kIsaRows[row].usable(cpu_features())) {
    return Error{ErrorCode::kUnsupported,
                 "this machine cannot run '" + std::string(name) + "' (needs " + kIsaRows[row].requires_ + ")"};
  }
  return row;
}

/// The choice of this process at first use: HEARTH_ISA, or else the fastest set.
struct FirstChoice {
  int row = 0;
  std::string error;
};

const FirstChoice& first_choice() {
  static const FirstChoice choice = [] {
    FirstChoice c{fastest_usable(), {}};
    const char* wanted = std::getenv("HEARTH_ISA");
    if (wanted == nullptr || *wanted == '\0') return c;
    const Result<int> row = choose(wanted);
    if (row) {
      c.row = *row;
    } else {
      c.error = "HEARTH_ISA ignored: " + row.error().message;
    }
    return c;
  }();
  return choice;
}

std::atomic<const KernelTable*> g_active{nullptr};

const KernelTable& activate_first_choice() {
  const KernelTable* expected = nullptr;
  const KernelTable* chosen = &tables()[static_cast<size_t>(first_choice().row)];
  g_active.compare_exchange_strong(expected, chosen);
  return *g_active.load();
}

}  // namespace

int isa_count() {
  return kIsaCount;
}

const IsaRow& isa_row(int index) {
  return kIsaRows[index];
}

const KernelTable* isa_table(int index) {
  if (index < 0 || index >= kIsaCount || !kIsaRows[index].usable(cpu_features())) return nullptr;
  return &tables()[static_cast<size_t>(index)];
}

const KernelTable& kernels() {
  const KernelTable* active = g_active.load(std::memory_order_acquire);
  return active != nullptr ? *active : activate_first_choice();
}

}  // namespace hearth::kernels

namespace hearth {

std::vector<IsaInfo> list_isas() {
  std::vector<IsaInfo> infos;
  const std::string_view active = active_isa();
  for (const kernels::IsaRow& row : kernels::kIsaRows) {
    infos.push_back({row.name, row.requires_, row.usable(kernels::cpu_features()), active == row.name});
  }
  return infos;
}

const char* active_isa() {
  return kernels::kernels().isa;
}

Status force_isa(std::string_view name) {
  const Result<int> row = kernels::choose(name);
  if (!row) return row.error();
  kernels::g_active.store(&kernels::tables()[static_cast<size_t>(*row)], std::memory_order_release);
  return {};
}

std::string isa_override_error() {
  return kernels::first_choice().error;
}

}  // namespace hearth
