// What a hearth::Model holds.
#pragma once

#include <optional>
#include <string>

#include "hearth/model.h"
#include "lib/arch/architecture.h"
#include "lib/model/hparams.h"
#include "lib/model/weights.h"

namespace hearth {

struct Model::Impl {
  GgufFile file;
  const Architecture* arch;
  HParams hp;
  Weights weights;
  ModelInfo info;
  std::optional<Tokenizer> tokenizer;  ///< absent only while planning from metadata
};

/// Gives a bound model its vocabulary. kFormat when there are more tokens than rows of the embedding; further rows are
/// padding, which samplers leave out.
Status adopt_tokenizer(Model::Impl& model, Tokenizer tokenizer);

/// The way into a model for other parts of the library and for tests.
struct ModelInternals {
  static const Model::Impl& of(const Model& model) { return *model.impl_; }
};

/// Everything but the vocabulary. Errors as Model::open.
Result<Model::Impl> bind_model(GgufFile file);

}  // namespace hearth
