// Which instruction sets are compiled in, which one runs, and how it is forced.
#include "kernels/dispatch.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "kernels/cpu_features.h"

namespace hearth::kernels {

// overlay_<set>() puts the kernels of a set into a table that holds those of its base. Not every program links a set
// that is apart; what it needs is a feature of those that do.
void overlay_reference(KernelTable& table);
#define HEARTH_ISA(name, base, needs) void overlay_##name(KernelTable& table);
#define HEARTH_ISA_APART(name, base, needs) __attribute__((weak)) void overlay_##name(KernelTable& table);
#include "isas.inc"
#undef HEARTH_ISA
#undef HEARTH_ISA_APART

namespace {

/// Slowest first; each row is at least as fast as its base.
constexpr IsaRow kIsaRows[] = {
    {"scalar", "", nullptr, overlay_reference},
#define HEARTH_ISA(name, base, needs) {#name, needs, #base, overlay_##name},
#define HEARTH_ISA_APART HEARTH_ISA
#include "isas.inc"
#undef HEARTH_ISA
#undef HEARTH_ISA_APART
};
constexpr int kIsaCount = static_cast<int>(std::size(kIsaRows));

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
      if (row.base != nullptr) t[static_cast<size_t>(i)] = t[static_cast<size_t>(find_isa(row.base))];
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

/// The choice of this process at first use: HEARTH_ISA, or else the fastest set.
struct FirstChoice {
  int row = 0;
  char ignored[64] = "";
};

const FirstChoice& first_choice() {
  static const FirstChoice choice = [] {
    FirstChoice c;
    c.row = fastest_usable();
    const char* wanted = std::getenv("HEARTH_ISA");
    if (wanted == nullptr || *wanted == '\0') return c;
    const int row = find_isa(wanted);
    if (row >= 0 && usable(row)) {
      c.row = row;
    } else {
      std::strncpy(c.ignored, wanted, sizeof c.ignored - 1);
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

int find_isa(std::string_view name) {
  for (int i = 0; i < kIsaCount; ++i) {
    if (name == kIsaRows[i].name) return i;
  }
  return -1;
}

void activate_isa(int index) {
  g_active.store(isa_table(index), std::memory_order_release);
}

const char* ignored_override() {
  return first_choice().ignored;
}

}  // namespace hearth::kernels
