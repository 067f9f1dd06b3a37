// Parts of read_hparams, each in a file of its own. Every part reports through the KeyReader.
#pragma once

#include "lib/model/hparams.h"
#include "lib/model/key_reader.h"

namespace hearth {

/// Fills hp.layers and hp.ropes; hp.n_layers, d_model and n_ctx_train are known.
void read_layers(KeyReader& keys, const Architecture& arch, HParams& hp);

}  // namespace hearth
