// The functions by which each kernel folder fills its part of the table; called by dispatch.cpp alone.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels {

/// Rows of floats, KV cells and attention; matmul_table.cpp: tensor types and matrix products.
#define HEARTH_DECLARE_OVERLAYS(isa)      \
  void overlay_##isa(KernelTable& table); \
  void overlay_matmul_##isa(KernelTable& table);

HEARTH_DECLARE_OVERLAYS(reference)
HEARTH_DECLARE_OVERLAYS(avx2)
HEARTH_DECLARE_OVERLAYS(avx_vnni)
HEARTH_DECLARE_OVERLAYS(avx512)
#undef HEARTH_DECLARE_OVERLAYS

}  // namespace hearth::kernels
