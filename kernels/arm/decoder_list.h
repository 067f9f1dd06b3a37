// Which types have decoders for 64-bit ARM: all of them. X(type, what decodes it)
#pragma once

// clang-format off
#define HEARTH_BLOCKS32_DECODERS(X) \
  X(Q4_0, DecodeQ4_0) X(Q4_1, DecodeQ4_1) X(Q5_0, DecodeQ5_0) X(Q5_1, DecodeQ5_1) X(Q8_0, DecodeQ8_0)
#define HEARTH_SUPERBLOCK_DECODERS(X) \
  X(Q2_K, DecodeQ2_K) X(Q3_K, DecodeQ3_K) X(Q4_K, DecodeQ4_K) X(Q5_K, DecodeQ5_K) X(Q6_K, DecodeQ6_K)
#define HEARTH_CODEBOOK_DECODERS(X) \
  X(IQ4_NL, DecodeIQ4_NL) X(IQ4_XS, DecodeIQ4_XS) X(MXFP4, DecodeMXFP4) X(NVFP4, DecodeNVFP4)
#define HEARTH_ROW_DECODERS(X) \
  X(IQ1_S, DecodeIQ1_S) X(IQ1_M, DecodeIQ1_M) X(IQ2_XXS, DecodeIQ2_XXS) X(IQ2_XS, DecodeIQ2_XS) \
  X(IQ2_S, DecodeIQ2_S) X(IQ3_XXS, DecodeIQ3_XXS) X(IQ3_S, DecodeIQ3_S) \
  X(Q1_0, DecodeQ1_0) X(Q2_0, DecodeQ2_0) X(TQ1_0, DecodeTQ1_0) X(TQ2_0, DecodeTQ2_0)
#define HEARTH_DECODERS(X) \
  HEARTH_BLOCKS32_DECODERS(X) HEARTH_SUPERBLOCK_DECODERS(X) HEARTH_CODEBOOK_DECODERS(X) HEARTH_ROW_DECODERS(X)
// clang-format on
