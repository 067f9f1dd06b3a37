// The encoders for any processor; encode/ has their text.
#include "kernels/encode/table.h"

namespace hearth::kernels::any {

const EncoderTable& encoder_table();

const EncoderTable& encoder_table() {
  return kEncoders;
}

}  // namespace hearth::kernels::any
