// The panel of this instruction set: 32 rows in two halves of 16, each half two groups of 8 lanes, integer codes as
// bytes, four consecutive columns of a row to a lane, so that one instruction multiplies 8 rows by a broadcast of four
// activations. Half h begins at h * half_stride(codes), block b of 32 columns at b * block_stride(codes) in it: codes
// [8 steps][16 rows][4], then four planes of 16 dwords (scales of the first and second 16 columns, minimums of them;
// superblocks: see kScalePlane). At kHeaderAt: which codes the panel holds.
//
// The loops are bound by multiplications (two a cycle), not by additions (four): VPMADDUBSW leaves sums of two products
// in 16 bits, and as many of them are added there as fit. Codes are centered for that: stored with an offset, which an
// initial value of the sum takes off again (modulo 2^16), so that 16 products of codes -16..15 or 8 of codes -32..31
// or 0..31 with activations of at most 127 stay below 2^15. Codes of eight bits are too large and are multiplied as
// words: for many columns the panel holds words; for few, whose time goes into decoding, bytes that the loop widens.
#pragma once

#include "kernels/x86/decode.h"

namespace hearth::kernels::avx2 {
namespace {

constexpr int64_t kRowsBytes = 64;  // 16 rows x 4 bytes
constexpr int64_t kHeaderAt = kPanelBytes - 64;
constexpr int64_t step_bytes(Codes codes) {
  return codes == Codes::kWords ? 2 * kRowsBytes : kRowsBytes;
}
constexpr int64_t code_bytes(Codes codes) {
  return 8 * step_bytes(codes);
}
constexpr int64_t block_stride(Codes codes) {
  return code_bytes(codes) + 4 * kRowsBytes;
}
constexpr int64_t half_stride(Codes codes) {
  return kPanelBlocks * block_stride(codes);
}
static_assert(2 * half_stride(Codes::kWords) <= kHeaderAt);

/// Planes behind the codes. Superblocks: integer scales as pairs of equal words; minimums of blocks 2i and 2i + 1 as a
/// pair of words, in block i; d and dmin in the first and second block.
constexpr int kScalePlane = 0;
constexpr int kMinPlane = 2;
constexpr int kSuperPlane = 3;

HEARTH_INLINE void store_header(void* panel, Codes codes) {
  __builtin_memcpy(static_cast<char*>(panel) + kHeaderAt, &codes, sizeof codes);
}
HEARTH_INLINE Codes load_header(const void* panel) {
  Codes codes;
  __builtin_memcpy(&codes, static_cast<const char*>(panel) + kHeaderAt, sizeof codes);
  return codes;
}

/// Writes the panel.
template <Codes kCodes>
struct PanelWriter : RowsInLanes {
  char* codes;  ///< of block 0 and this group

  HEARTH_INLINE void put_plane(int block, int index, __m256i value) {
    put(codes + block * block_stride(kCodes) + code_bytes(kCodes) + index * kRowsBytes, value);
  }
  static HEARTH_INLINE void put(char* p, __m256i value) {
    _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(p)), value);
  }
  HEARTH_INLINE void scale(int block, int half, __m256 value) {
    put_plane(block, kScalePlane + half, _mm256_castps_si256(value));
  }
  HEARTH_INLINE void min(int block, int half, __m256 value) {
    put_plane(block, kMinPlane + half, _mm256_castps_si256(value));
  }
  HEARTH_INLINE void super(__m256 d) { put_plane(0, kSuperPlane, _mm256_castps_si256(d)); }
  HEARTH_INLINE void super_min(__m256 dmin) { put_plane(1, kSuperPlane, _mm256_castps_si256(dmin)); }
  HEARTH_INLINE void min_pair(int pair, __m256i words) { put_plane(pair, kMinPlane, words); }
  HEARTH_INLINE void factor(int block, int half, __m256i pairs) { put_plane(block, kScalePlane + half, pairs); }
  HEARTH_INLINE void code(int block, int part, __m256i bytes) {
    char* step = codes + block * block_stride(kCodes) + part * step_bytes(kCodes);
    put(step, kCodes == Codes::kWords ? even_words(bytes) : bytes);
    if (kCodes == Codes::kWords) put(step + kRowsBytes, odd_words(bytes));
  }
  template <int kBlocks>
  HEARTH_INLINE void done() {
    codes += kBlocks * block_stride(kCodes);
  }
};

/// Decodes n columns of a tile into a panel of kCodes.
template <typename Decoder, Codes kCodes>
HEARTH_INLINE void decode_panel(void* panel, const WeightTile& tile, int64_t n) {
  store_header(panel, kCodes);
  decode_groups<Decoder>(tile, n, [panel](int64_t g) {
    return PanelWriter<kCodes>{{}, static_cast<char*>(panel) + g / 2 * half_stride(kCodes) + g % 2 * 32};
  });
}
template <typename Decoder>
HEARTH_INLINE void decode_tile(void* panel, const WeightTile& tile, int64_t n) {
  if constexpr (Decoder::kCodes == Codes::kSigned) {
    if (tile.many_columns) return decode_panel<Decoder, Codes::kWords>(panel, tile, n);
  }
  decode_panel<Decoder, Decoder::kCodes>(panel, tile, n);
}

}  // namespace
}  // namespace hearth::kernels::avx2
