// self_test(): every kernel of every usable instruction set against the reference.
#include "lib/cpu/self_test.h"

#include <cstdio>

#include "kernels/dispatch.h"
#include "lib/base/guard.h"

namespace hearth {

namespace {

std::vector<KernelCheck> check_every_isa() {
  std::vector<KernelCheck> checks;
  const kernels::KernelTable& reference = *kernels::isa_table(0);
  for (int i = 1; i < kernels::isa_count(); ++i) {
    const kernels::KernelTable* isa = kernels::isa_table(i);
    if (isa == nullptr) continue;
    kernels::check_vector_kernels(checks, *isa, reference);
    kernels::check_attention_kernels(checks, *isa, reference);
    kernels::check_matmul_kernels(checks, *isa, reference);
  }
  return checks;
}

}  // namespace

std::vector<KernelCheck> self_test() {
  return guard_or(std::vector<KernelCheck>(), [] { return check_every_isa(); });
}

}  // namespace hearth

namespace hearth::kernels {

void report_check(std::vector<KernelCheck>& checks, const KernelTable& isa, const char* name, double error,
                  double limit) {
  char detail[80];
  std::snprintf(detail, sizeof detail, "error %.2g, limit %.2g", error, limit);
  checks.push_back({name, isa.isa, error <= limit, detail});
}

Aligned allocate_aligned(int64_t bytes) {
  return Aligned(::operator new (static_cast<size_t>(bytes), std::align_val_t{64}, std::nothrow));
}

std::vector<float> sample_floats(size_t n, uint32_t seed, float sigma) {
  std::vector<float> x(n);
  uint32_t state = seed * 2654435761u + 1u;
  for (float& value : x) {
    float sum = 0;  // of four uniform numbers
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525u + 1013904223u;
      sum += static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    }
    value = sum * 1.7320508f * sigma;
  }
  return x;
}

}  // namespace hearth::kernels
