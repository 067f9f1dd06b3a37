// The functions by which each kernel folder fills its part of the table; called by dispatch.cpp alone.
#pragma once

#include "kernels/kernel_table.h"

#if __has_include("kernels/avx2/matmul_table.cpp")
#define HEARTH_HAVE_MATMUL_AVX2 1
#endif

namespace hearth::kernels {

/// Rows of floats, KV cells and attention; matmul_table.cpp: tensor types and matrix products.
#define HEARTH_DECLARE_OVERLAYS(isa)      \
  void overlay_##isa(KernelTable& table); \
  void overlay_matmul_##isa(KernelTable& table);

HEARTH_DECLARE_OVERLAYS(reference)
HEARTH_DECLARE_OVERLAYS(avx2)
HEARTH_DECLARE_OVERLAYS(avx512)
#undef HEARTH_DECLARE_OVERLAYS

}  // namespace hearth::kernels
