// The storage blocks of every tensor type: packed structs exactly as GGUF stores them (little-endian).
// What the bits of a block mean is in reference/ (blocks32, superblocks, codebooks, lattices, ternary); shapes are
// listed in quant_types.inc. Source of the layouts: the GGUF specification and ggml's type definitions (facts of the
// format).
//
// The word "code" means in all kernels: the small integer by which a block stores an element (or a group of elements,
// where it is an index into a codebook), of which scales and minimums of the block make the float. "d" is the scale of
// a block, "m" or "dmin" what is added or taken off, "qs" holds the codes or their low bits and "qh" their high bits.
#pragma once

#include <cstdint>

namespace hearth::kernels {

// Rows in a caller's memory may begin at any address.
#pragma pack(push, 1)

/// IEEE half bits as stored.
using half_t = uint16_t;

struct BlockQ4_0 {
  half_t d;
  uint8_t qs[16];
};  // 32 x 4 bits; low nibbles are elements 0..15
struct BlockQ4_1 {
  half_t d;
  half_t m;
  uint8_t qs[16];
};
struct BlockQ5_0 {
  half_t d;
  uint8_t qh[4];
  uint8_t qs[16];
};  // qh: bit i is the fifth bit of element i
struct BlockQ5_1 {
  half_t d;
  half_t m;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ8_0 {
  half_t d;
  int8_t qs[32];
};
struct BlockQ2_K {
  uint8_t scales[16];
  uint8_t qs[64];
  half_t d;
  half_t dmin;
};  // scale | min << 4, per 16
struct BlockQ3_K {
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  half_t d;
};
struct BlockQ4_K {
  half_t d;
  half_t dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};  // 8 x (6-bit scale, 6-bit min)
struct BlockQ5_K {
  half_t d;
  half_t dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
struct BlockQ6_K {
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  half_t d;
};
struct BlockIQ4_NL {
  half_t d;
  uint8_t qs[16];
};
struct BlockIQ4_XS {
  half_t d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};
struct BlockMXFP4 {
  uint8_t e;
  uint8_t qs[16];
};  // e: E8M0 exponent
struct BlockNVFP4 {
  uint8_t d[4];
  uint8_t qs[32];
};  // d: unsigned E4M3, per 16
struct BlockIQ1_S {
  half_t d;
  uint8_t qs[32];
  uint16_t qh[8];
};
struct BlockIQ1_M {
  uint8_t qs[32];
  uint8_t qh[16];
  uint16_t scales[4];
};  // d: the upper four bits of each of scales
struct BlockIQ2_XXS {
  half_t d;
  uint8_t qs[64];
};
struct BlockIQ2_XS {
  half_t d;
  uint16_t qs[32];
  uint8_t scales[8];
};
struct BlockIQ2_S {
  half_t d;
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];
  uint8_t scales[8];
};
struct BlockIQ3_XXS {
  half_t d;
  uint8_t qs[64];
  uint8_t signs_and_scales[32];
};
struct BlockIQ3_S {
  half_t d;
  uint8_t qs[64];
  uint8_t qh[8];
  uint8_t signs[32];
  uint8_t scales[4];
};
struct BlockQ1_0 {
  half_t d;
  uint8_t qs[16];
};
struct BlockQ2_0 {
  half_t d;
  uint8_t qs[16];
};
struct BlockTQ1_0 {
  uint8_t qs[48];
  uint8_t qh[4];
  half_t d;
};
struct BlockTQ2_0 {
  uint8_t qs[64];
  half_t d;
};
#pragma pack(pop)

static_assert(sizeof(BlockQ4_0) == 18 && alignof(BlockQ4_0) == 1);
static_assert(sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2_K) == 84);
static_assert(sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176);
static_assert(sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockIQ4_NL) == 18);
static_assert(sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockMXFP4) == 17);
static_assert(sizeof(BlockNVFP4) == 36);
static_assert(sizeof(BlockIQ1_S) == 50);
static_assert(sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockIQ2_XXS) == 66);
static_assert(sizeof(BlockIQ2_XS) == 74);
static_assert(sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98);
static_assert(sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockQ1_0) == 18);
static_assert(sizeof(BlockQ2_0) == 18);
static_assert(sizeof(BlockTQ1_0) == 54);
static_assert(sizeof(BlockTQ2_0) == 66);

}  // namespace hearth::kernels
