// Random weights written directly as the blocks of a tensor type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hearth/gguf.h"
#include "hearth/sampler.h"

namespace hearth_tool {

/// Fills whole blocks with valid random data whose decoded values have mean 0 and about the standard deviation
/// `sigma`. `out.size()` must be a multiple of the block's bytes. False for a type that make-model does not write.
bool fill_random_blocks(std::span<std::byte> out, hearth::TensorType type, float sigma, hearth::Rng& rng);

/// out[i] = mean + sigma * (normal deviate)
void fill_random_floats(std::span<float> out, float mean, float sigma, hearth::Rng& rng);

}  // namespace hearth_tool
