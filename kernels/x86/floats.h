// Floats of 16 bits, for the tables of all x86 sets.
#pragma once

#include <cstdint>

namespace hearth::kernels::x86 {

/// As TypeKernels::dequantize.
void dequantize_F16(float* out, const void* halves, int64_t n);

}  // namespace hearth::kernels::x86
