// A made-up but consistent vocabulary of a family's kind and size, so that a random model has a working tokenizer.
#pragma once

#include "hearth/gguf.h"
#include "model_shapes.h"

namespace hearth_tool {

/// Writes the tokenizer.* keys: all 256 bytes, pieces of lower-case letters, and the family's special tokens at the
/// ids that the published vocabulary has them at.
hearth::Status write_synthetic_vocab(hearth::GgufWriter& writer, const ModelShape& shape);

/// Copies every tokenizer.* key. kInvalidArgument when the file has none, or another number of tokens than n_vocab.
hearth::Status copy_vocab(hearth::GgufWriter& writer, const hearth::GgufFile& from, int64_t n_vocab);

}  // namespace hearth_tool
