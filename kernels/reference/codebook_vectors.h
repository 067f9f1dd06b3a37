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

/// As the library holds them, a quarter of the size: element i of eight is the number of its value at bit 2 i, of four
/// at 3 i. The last entry is none; whoever reads 32 bits of one before it may read it.
extern const uint16_t kPackedIQ2_XXS[256 + 1];
extern const uint16_t kPackedIQ2_XS[512 + 1];
extern const uint16_t kPackedIQ2_S[1024 + 1];
extern const uint16_t kPackedIQ3_XXS[256 + 1];
extern const uint16_t kPackedIQ3_S[512 + 1];
extern const uint16_t kPackedIQ1[2048 + 1];
/// The values, as bytes.
inline constexpr uint8_t kValuesIQ2[4] = {8, 25, 43};
inline constexpr uint8_t kValuesIQ3_XXS[8] = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr uint8_t kValuesIQ3_S[8] = {1, 3, 5, 7, 9, 11, 13, 15};
inline constexpr uint8_t kValuesIQ1[4] = {static_cast<uint8_t>(-8), 0, 8};

/// What kernels read. Empty before the first unpack_codebooks(), which whoever hands out kernels calls.
extern Codebooks codebooks;
/// From any thread; `codebooks`.
const Codebooks& unpack_codebooks();

}  // namespace hearth::kernels::reference
