// What the AVX-VNNI loops want to know of activations: x86/pack_acts.h has the rest.
#include "kernels/x86/pack_acts.h"

#include "kernels/avx_vnni/matmul.h"
#include "kernels/avx_vnni/values.h"

namespace hearth::kernels::avx_vnni {
namespace {

struct Planes {
  /// A sum of products with codes that are stored kCodeOffset too high starts at a value that cancels the offset.
  static inline void store_block(const ActGroup& group, int64_t b, int c, __m256i /*pairs*/, const int whole[2]) {
    const int64_t n_cols = group.n_cols;
    for (int i = 0; i < 2; ++i) group.init16[(2 * b + i) * n_cols + c] = kMagicBits - kCodeOffset * whole[i];
    group.init32[b * n_cols + c] = kMagicBits - kCodeOffset * (whole[0] + whole[1]);
  }
  static inline void store_superblock(const ActGroup& /*group*/, int64_t /*super*/, int /*c*/, const float* /*sums*/) {}
};

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  pack_column<Planes>(group, c, x, k);
}

}  // namespace hearth::kernels::avx_vnni
