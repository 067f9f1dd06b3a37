// What the parameters are before training.
#pragma once

#include "examples/train/parameters.h"

namespace train {

/// Random matrices that keep the size of what passes through them; norms are 1, the last one less. In models whose
/// width holds as many subspaces as that takes, the first two layers begin as heads that find what followed the same
/// word before, see initial.cpp.
Floats initial_parameters(const Layout& layout, uint64_t seed);

/// The parameters of a trained model in a deeper one of the same other sizes: its layers come first, the new ones
/// after them, with random values but for what they write: nothing yet. Empty when the sizes do not fit.
Floats deepened(const Floats& trained, const Layout& from, const Layout& to, uint64_t seed);

}  // namespace train
