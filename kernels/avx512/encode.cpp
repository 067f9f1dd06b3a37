// Encoders for registers of 512 bits: two sub-blocks side by side. encode/ has their text; types whose blocks have no
// sub-blocks, and those of codebooks, are encoded as x86/encode.cpp does.
#define HEARTH_ENCODE_SIDES 2

#include "kernels/encode/superblocks.h"
#include "kernels/encode/superblocks_min.h"
#include "kernels/encoders.h"

namespace hearth::kernels {

namespace x86 {
const EncoderTable& encoder_table();
}

namespace avx512 {

const EncoderTable& encoder_table();

const EncoderTable& encoder_table() {
  static const EncoderTable table = [] {
    EncoderTable t = x86::encoder_table();
    const auto put = [&t](TypeIndex type, Encode encode) { t.encode[static_cast<int>(type)] = encode; };
    put(TypeIndex::kQ2_K, encode_Q2_K);
    put(TypeIndex::kQ3_K, encode_Q3_K);
    put(TypeIndex::kQ4_K, encode_Q4_K);
    put(TypeIndex::kQ5_K, encode_Q5_K);
    put(TypeIndex::kQ6_K, encode_Q6_K);
    put(TypeIndex::kIQ4_XS, encode_IQ4_XS);
    return t;
  }();
  return table;
}

}  // namespace avx512
}  // namespace hearth::kernels
