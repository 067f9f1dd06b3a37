// Masks: which tokens may follow a state.
#pragma once

#include <cstdint>
#include <span>

#include "lib/grammar/automaton.h"
#include "lib/grammar/vocabulary.h"

namespace hearth::grammar {

/// Sets the bits [n_words] of the tokens that may follow `state`: those whose bytes lead somewhere, those that the
/// grammar names, and the end tokens where the text may end. Bits beyond n_vocab are 0.
void fill_mask(Automaton& automaton, StateId state, const Vocabulary& vocabulary, std::span<uint64_t> bits);

}  // namespace hearth::grammar
