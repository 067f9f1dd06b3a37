// The panel of this instruction set: 32 rows in two halves of 16, each half two groups of 8 lanes. Half h begins at h *
// kHalfStride, block b of 32 columns at b * kBlockStride in it: codes plus 128 [8 steps][16 rows][4], then for each
// half of 16 columns (only the first is used by kinds with one scale per 32) floats [3][16 rows]: scale, scale *
// kMagic, min.
#pragma once

#include "kernels/avx_vnni/values.h"

namespace hearth::kernels::avx_vnni {
namespace {

constexpr int64_t kRowsBytes = 64;  // 16 rows x 4 bytes
constexpr int64_t kCodeBytes = 8 * kRowsBytes;
constexpr int64_t kFactorBytes = 3 * kRowsBytes;
constexpr int64_t kBlockStride = kCodeBytes + 2 * kFactorBytes;
constexpr int64_t kHalfStride = kPanelBlocks * kBlockStride;
static_assert(2 * kHalfStride <= kPanelBytes);

/// Writes the panel.
template <typename Decoder>
struct PanelWriter : RowsInLanes, SuperblockFloats<PanelWriter<Decoder>> {
  char* codes;  ///< of block 0 and this group

  explicit PanelWriter(char* first) : codes(first) {}

  HEARTH_INLINE void put_factor(int block, int half, int plane, __m256 value) {
    char* p = codes + block * kBlockStride + kCodeBytes + half * kFactorBytes + plane * kRowsBytes;
    _mm256_store_ps(static_cast<float*>(static_cast<void*>(p)), value);
  }
  HEARTH_INLINE void scale(int block, int half, __m256 value) {
    put_factor(block, half, 0, value);
    put_factor(block, half, 1, _mm256_mul_ps(value, _mm256_set1_ps(kMagic)));
  }
  HEARTH_INLINE void min(int block, int half, __m256 value) { put_factor(block, half, 2, value); }
  HEARTH_INLINE void code(int block, int part, __m256i bytes) {
    char* p = codes + block * kBlockStride + part * kRowsBytes;
    _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(p)), ValuesOf<Decoder>::to_unsigned(bytes));
  }
  template <int kBlocks>
  HEARTH_INLINE void done() {
    codes += kBlocks * kBlockStride;
  }
};

template <typename Decoder>
HEARTH_INLINE void decode_tile(void* panel, const WeightTile& tile, int64_t n) {
  decode_groups<Decoder>(tile, n, [panel](int64_t g) {
    return PanelWriter<Decoder>(static_cast<char*>(panel) + g / 2 * kHalfStride + g % 2 * 32);
  });
}

}  // namespace
}  // namespace hearth::kernels::avx_vnni
