// The reference functions of every tensor type: what the bits of a block mean. For the reference table and for
// the generic decoder (generic_decode.h).
#pragma once

#include <cstdint>

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::reference {

// unpack_<Type>: n elements into codes, a scale and a minimum per 16 (see Unpacked).
#define HEARTH_FLOAT_TYPE(Name, size, bytes)                         \
  void dequantize_##Name(float* out, const void* blocks, int64_t n); \
  void quantize_##Name(void* blocks, const float* x, int64_t n);
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) \
  void unpack_##Name(const Unpacked& out, const void* blocks, int64_t n);
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE

/// Encoders, as far as there are any; not in the kernel table.
void quantize_Q8_0(void* blocks, const float* x, int64_t n);

/// The 16 values of IQ4_NL and IQ4_XS codes, and of MXFP4 and NVFP4 codes (4-bit floats E2M1, times two).
extern const int8_t kIQ4Values[16];
extern const int8_t kFP4Doubled[16];

}  // namespace hearth::kernels::reference
