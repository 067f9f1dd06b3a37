// Codes, scales and minimums of the commonest block types, by loops that compilers turn into vector instructions. What
// they give is what the functions of the same names in reference/ give.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::portable {

void unpack_Q4_0(const Unpacked& out, const void* blocks, int64_t n);
void unpack_Q5_0(const Unpacked& out, const void* blocks, int64_t n);
void unpack_Q8_0(const Unpacked& out, const void* blocks, int64_t n);
void unpack_Q4_K(const Unpacked& out, const void* blocks, int64_t n);
void unpack_Q5_K(const Unpacked& out, const void* blocks, int64_t n);
void unpack_Q6_K(const Unpacked& out, const void* blocks, int64_t n);

}  // namespace hearth::kernels::portable
