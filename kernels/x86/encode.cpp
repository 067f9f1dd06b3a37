// The encoders for registers of 256 bits, which all x86 sets have; encode/ has their text.
#include "kernels/encode/table.h"

namespace hearth::kernels::x86 {

const EncoderTable& encoder_table();

const EncoderTable& encoder_table() {
  return kEncoders;
}

}  // namespace hearth::kernels::x86
