// Writes a model file of a published shape with seeded random weights.
#pragma once

#include <cstdint>
#include <string>

#include "hearth/result.h"
#include "model_shapes.h"
#include "terminal.h"
#include "type_mix.h"

namespace hearth_tool {

/// The file appears under its name only when it is complete; Ctrl-C ends it with kCancelled. `vocab`: a GGUF file
/// whose tokenizer is copied; empty: a made-up one. Returns the number of parameters.
hearth::Result<int64_t> write_model(const std::string& path, const ModelShape& shape, const TypeMix& mix,
                                    const std::string& vocab, uint64_t seed, Progress& progress);

}  // namespace hearth_tool
