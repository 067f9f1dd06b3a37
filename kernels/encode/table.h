// The encoders of a file's instruction set as a table.
#pragma once

#include "kernels/encode/blocks32.h"
#include "kernels/encode/codebook_blocks.h"
#include "kernels/encode/few_values.h"
#include "kernels/encode/superblocks_min.h"
#include "kernels/encoders.h"

namespace hearth::kernels {
namespace {

constexpr EncoderTable kEncoders = {{
#define HEARTH_FLOAT_TYPE(Name, size, bytes) encode_##Name,
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) encode_##Name,
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
}};

}  // namespace
}  // namespace hearth::kernels
