// Writes models as GGUF, with all that a runner needs beside the weights.
#pragma once

#include <optional>
#include <string>

#include "examples/train/bpe.h"
#include "examples/train/parameters.h"
#include "hearth/gguf.h"
#include "hearth/tokenizer.h"

namespace train {

/// The vocabulary of a run: learned from the corpus of this seed, so the same seed always gives the same one.
Vocabulary make_vocabulary(uint64_t seed, int64_t n_vocab);

/// The library's tokenizer for a vocabulary, through a file in memory or under `scratch_path`, which is removed again.
hearth::Result<hearth::Tokenizer> make_tokenizer(const Vocabulary& vocabulary, const std::string& scratch_path);

/// What the file says of itself.
struct ModelCard {
  std::string name, description;
};
/// For a preset of parameters.h.
ModelCard card_of(const std::string& preset);

/// Chat markers as the corpus writes them, in Jinja.
std::string chat_template();

hearth::Status add_tokenizer(hearth::GgufWriter& writer, const Vocabulary& vocabulary);
hearth::Status add_model(hearth::GgufWriter& writer, const ModelSizes& sizes, const ModelCard& card,
                         hearth::TensorType type);

/// Matrices in `type` (kF32, kF16 or kQ8_0), norms in F32. `parameters` is the flat vector of `layout`.
hearth::Status export_model(const std::string& path, const Layout& layout, const Floats& parameters,
                            const Vocabulary& vocabulary, const ModelCard& card, hearth::TensorType type);

}  // namespace train
