// Floats as bfloat16 numbers, and what these leave of them.
#pragma once

#include "kernels/amx/tiles.h"

namespace hearth::kernels::amx {
namespace {

/// The nearest bfloat16 numbers, those of low first.
inline __attribute__((always_inline)) __m512i nearest(__m512 low, __m512 high) {
  const __m512bh both = _mm512_cvtne2ps_pbh(high, low);
  __m512i bits;
  __builtin_memcpy(&bits, &both, sizeof bits);
  return bits;
}

/// x without the bfloat16 numbers nearest to it.
inline __attribute__((always_inline)) __m512 rest_of(__m512 x, __m256i near) {
  return _mm512_sub_ps(x, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(near), 16)));
}

inline __attribute__((always_inline)) __m512i rests_of(__m512 low, __m512 high) {
  const __m512i near = nearest(low, high);
  return nearest(rest_of(low, _mm512_castsi512_si256(near)), rest_of(high, _mm512_extracti64x4_epi64(near, 1)));
}

}  // namespace
}  // namespace hearth::kernels::amx
