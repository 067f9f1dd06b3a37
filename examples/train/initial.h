// What the parameters are before training.
#pragma once

#include "examples/train/parameters.h"
#include "hearth/tokenizer.h"

namespace train {

/// For every token with a space in front the token without it, where the vocabulary has both; -1 for all others.
std::vector<int32_t> twins_of(const hearth::Tokenizer& tokenizer);

/// Random matrices that keep the size of what passes through them; norms are 1, the last one less. In models whose
/// width holds as many subspaces as that takes, the first layers begin as heads that find what followed the same word
/// before, and from three layers on what stood near it, see initial.cpp. A token begins much like its twin, so that a
/// word is the same word everywhere.
Floats initial_parameters(const Layout& layout, uint64_t seed, const std::vector<int32_t>& twins = {});

/// The parameters of a trained model in a deeper one of the same other sizes: its layers come first, the new ones
/// after them, with random values but for what they write: nothing yet. Empty when the sizes do not fit.
Floats deepened(const Floats& trained, const Layout& from, const Layout& to, uint64_t seed);

}  // namespace train
