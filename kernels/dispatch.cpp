// Which instruction sets are compiled in, which one runs, and how it is forced.
#include "kernels/dispatch.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

#include "hearth/cpu.h"
#include "kernels/cpu_features.h"

namespace hearth::kernels {

// overlay_<set>() puts the kernels of a set into a table that holds those of its base.
void overlay_reference(KernelTable& table);
#define HEARTH_ISA(name, base, needs) void overlay_##name(KernelTable& table);
#include "isas.inc"
#undef HEARTH_ISA

namespace {

/// Slowest first; each row is at least as fast as its base.
constexpr IsaRow kIsaRows[] = {
    {"scalar", "", nullptr, overlay_reference},
#define HEARTH_ISA(name, base, needs) {#name, needs, #base, overlay_##name},
#include "isas.inc"
#undef HEARTH_ISA
};
constexpr int kIsaCount = static_cast<int>(std::size(kIsaRows));

int find_row(std::string_view name) {
  for (int i = 0; i < kIsaCount; ++i) {
    if (name == kIsaRows[i].name) return i;
  }
  return -1;
}

/// Whether this machine can run the set of a row.
bool usable(int row) {
  static const std::array<bool, kIsaCount> all = [] {
    std::array<bool, kIsaCount> u{};
    for (size_t i = 0; i < u.size(); ++i) u[i] = cpu_has(kIsaRows[i].needs);
    return u;
  }();
  return all[static_cast<size_t>(row)];
}

using Tables = std::array<KernelTable, kIsaCount>;

/// The tables that this machine can run. Filling one executes code compiled for its set, so the others stay empty.
const Tables& tables() {
  static const Tables all = [] {
    Tables t{};
    for (int i = 0; i < kIsaCount; ++i) {
      const IsaRow& row = kIsaRows[i];
      if (!usable(i)) continue;
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
    if (usable(i)) best = i;
  }
  return best;
}

Result<int> choose(std::string_view name) {
  const int row = find_row(name);
  if (row < 0) return Error{ErrorCode::kNotFound, "unknown instruction set '" + std::string(name) + "'"};
  if (!usable(row)) {
    return Error{ErrorCode::kUnsupported,
                 "this machine cannot run '" + std::string(name) + "' (needs " + kIsaRows[row].needs + ")"};
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
  if (index < 0 || index >= kIsaCount || !usable(index)) return nullptr;
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
  for (int i = 0; i < kernels::kIsaCount; ++i) {
    const kernels::IsaRow& row = kernels::kIsaRows[i];
    infos.push_back({row.name, *row.needs == 0 ? "nothing" : row.needs, kernels::usable(i), active == row.name});
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
