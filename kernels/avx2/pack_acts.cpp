// What the AVX2 loops want to know of activations: pack_acts.h has the rest.
#include "kernels/x86/pack_acts.h"

#include "kernels/avx2/matmul.h"

namespace hearth::kernels::avx2 {
namespace {

struct Planes {
  /// A sum of products with codes that are stored 16 (init32) or 32 (init16) too high starts at a value that cancels
  /// the offset.
  static inline void store_block(const ActGroup& group, int64_t b, int c, __m256i pairs, const int /*whole*/[2]) {
    const int64_t n_cols = group.n_cols;
    const __m128i pairs0 = _mm256_castsi256_si128(pairs), pairs1 = _mm256_extracti128_si256(pairs, 1);
    const __m128i init16 = _mm_sub_epi16(_mm_setzero_si128(), _mm_slli_epi16(_mm_unpacklo_epi32(pairs0, pairs1), 5));
    const __m128i init32 = _mm_sub_epi16(_mm_setzero_si128(), _mm_slli_epi16(_mm_add_epi16(pairs0, pairs1), 4));
    group.init16[2 * b * n_cols + c] = _mm_cvtsi128_si32(init16);
    group.init16[(2 * b + 1) * n_cols + c] = _mm_extract_epi32(init16, 1);
    group.init32[b * n_cols + c] = _mm_cvtsi128_si32(init32);
  }
  /// The sums of eight blocks as words.
  static void store_superblock(const ActGroup& group, int64_t super, int c, const float* sums) {
    const Floats v = load(sums);
    const float largest = max_lanes(abs(v));
    const Floats inverse = splat(largest < 1e-30f ? 0.0f : 32767.0f / largest);
    const __m256i whole = to_ints(mul(v, inverse));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    alignas(16) int32_t pairs[4];
    _mm_store_si128(static_cast<__m128i*>(static_cast<void*>(pairs)), words);
    for (int i = 0; i < 4; ++i) group.sum256[(super * 4 + i) * group.n_cols + c] = pairs[i];
    group.d256[super * group.n_cols + c] = largest / 32767.0f;
  }
};

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  pack_column<Planes>(group, c, x, k);
}

}  // namespace hearth::kernels::avx2
