// Panels of integer codes multiplied by groups of quantized activations, with AVX-512 VNNI.
#include "kernels/avx512/matmul.h"

#include "kernels/avx512/multiply.h"

namespace hearth::kernels::avx512 {
namespace {

template <int kHalves, bool kMin>
inline __attribute__((always_inline)) void multiply(float* acc, const void* panel, const ActGroup& x, int64_t nb,
                                                    bool first) {
  multiply_groups<2, kHalves, kMin>(acc, static_cast<const char*>(panel), x, nb, first, has_super_mins(panel));
}

}  // namespace

#include "kernels/simd/define_multiply.inc"

}  // namespace hearth::kernels::avx512
