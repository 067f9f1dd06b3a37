// Checks of kernels against the reference: the parts that hearth::self_test() puts together.
#pragma once

#include <memory>
#include <new>
#include <vector>

#include "hearth/cpu.h"
#include "kernels/kernel_table.h"

namespace hearth::kernels {

/// Each appends one KernelCheck a kernel of `isa`.
void check_vector_kernels(std::vector<KernelCheck>& checks, const KernelTable& isa, const KernelTable& reference);
void check_attention_kernels(std::vector<KernelCheck>& checks, const KernelTable& isa, const KernelTable& reference);
void check_matmul_kernels(std::vector<KernelCheck>& checks, const KernelTable& isa, const KernelTable& reference);

/// Appends a check that passed when error <= limit (NaN fails).
void report_check(std::vector<KernelCheck>& checks, const KernelTable& isa, const char* name, double error,
                  double limit);

/// Numbers like a normal distribution's, the same everywhere.
std::vector<float> sample_floats(size_t n, uint32_t seed, float sigma);

/// Memory for kernels, aligned as they ask for it; null when there is none.
struct Free {
  void operator()(void* p) const { ::operator delete (p, std::align_val_t{64}); }
};
using Aligned = std::unique_ptr<void, Free>;
Aligned allocate_aligned(int64_t bytes);

}  // namespace hearth::kernels
