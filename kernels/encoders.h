// Encoders: blocks of every type from floats. encode/ has their text, compiled for any processor
// (encode/any_processor.cpp), for registers of 256 bits (x86/encode.cpp) and, superblocks, of 512 (avx512/encode.cpp);
// all give the same bytes.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace hearth::kernels {

/// Makes blocks of n elements whose decoded values y make sum of w (x - y)^2 small. w: [n] importance, each >= 0, or
/// nullptr (all the same; some types never look at it). Decoded values are finite whatever x is, but for F32 and for
/// what is not a number in F16 and BF16. n % block_size == 0. One thread; allocates nothing.
using Encode = void (*)(void* blocks, const float* x, const float* w, int64_t n);

struct EncoderTable {
  Encode encode[kTypeCount];  ///< by TypeIndex
};

/// The fastest that this machine can run.
const EncoderTable& encoders();

/// All that were compiled, for tests; nullptr where this machine cannot run a set.
int encoder_set_count();
const EncoderTable* encoder_set(int index);

}  // namespace hearth::kernels
