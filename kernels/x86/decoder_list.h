// Which types have decoders of 256 bits, for every x86 set with such registers: X(type, what decodes it). The types of
// the first three lists are decoded for all rows of a group in step, those of the last row by row.
#pragma once

// clang-format off
#define HEARTH_BLOCKS32_DECODERS(X) \
  X(Q4_0, DecodeQ4_0) X(Q4_1, DecodeQ4_1) X(Q5_0, DecodeQ5_0) X(Q5_1, DecodeQ5_1) X(Q8_0, DecodeQ8_0)
#define HEARTH_SUPERBLOCK_DECODERS(X) \
  X(Q2_K, DecodeQ2K) X(Q3_K, DecodeQ3K) X(Q4_K, DecodeQ4K) X(Q5_K, DecodeQ5K) X(Q6_K, DecodeQ6K)
#define HEARTH_CODEBOOK_DECODERS(X) X(IQ4_NL, DecodeIQ4NL) X(IQ4_XS, DecodeIQ4XS) X(MXFP4, DecodeMXFP4)
#define HEARTH_ROW_DECODERS(X) \
  X(IQ1_S, RowIQ1_S) X(IQ1_M, RowIQ1_M) X(IQ2_XXS, RowIQ2_XXS) X(IQ2_XS, RowIQ2_XS) \
  X(IQ2_S, RowIQ2_S) X(IQ3_XXS, RowIQ3_XXS) X(IQ3_S, RowIQ3_S) X(NVFP4, RowNVFP4) \
  X(Q1_0, RowQ1_0) X(Q2_0, RowQ2_0) X(TQ1_0, RowTQ1_0) X(TQ2_0, RowTQ2_0)
#define HEARTH_DECODERS(X) \
  HEARTH_BLOCKS32_DECODERS(X) HEARTH_SUPERBLOCK_DECODERS(X) HEARTH_CODEBOOK_DECODERS(X) HEARTH_ROW_DECODERS(X)
// clang-format on
