// The codebooks of the IQ types: lists of vectors of eight (IQ1, IQ2) or four (IQ3) small numbers, of which a block's
// codes name the nearest. Those of IQ2 lie, with the even number of signs that goes with them, on the lattice E8, whose
// points pack eight-dimensional space most densely (Tseng et al. 2024, "QuIP#", section 4). Which points a list has is
// a fact of the file format.
#pragma once

#include <cstdint>

namespace hearth::kernels::reference {

/// An entry is a vector, its first element in the lowest byte.
template <typename Entry, int kCount>
struct Codebook {
  Entry entry[kCount];
};

struct Codebooks {
  Codebook<uint64_t, 256> iq2_xxs;  ///< elements 8, 25, 43
  Codebook<uint64_t, 512> iq2_xs;
  Codebook<uint64_t, 1024> iq2_s;
  Codebook<uint32_t, 256> iq3_xxs;  ///< elements 4, 12, 20, 28, 36, 44, 52, 62
  Codebook<uint32_t, 512> iq3_s;    ///< odd elements 1 to 15
  /// Of IQ1_S and IQ1_M: elements -8, 0, 8 as signed bytes, eight times those of the format, which adds an eighth to
  /// them or takes it away.
  Codebook<uint64_t, 2048> iq1;
};

/// What kernels read. The library holds it packed, a quarter of the size: empty before the first unpack_codebooks(),
/// which whoever hands out kernels calls.
extern Codebooks codebooks;
/// From any thread; `codebooks`.
const Codebooks& unpack_codebooks();

}  // namespace hearth::kernels::reference
