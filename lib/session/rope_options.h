// Rotary embeddings as the caller wants them in place of the file's.
#pragma once

#include "hearth/session.h"
#include "lib/model/hparams.h"

namespace hearth {

/// What the caller asks for in place of the file's.
RopeParams with_options(RopeParams params, const RopeOptions& options);

/// What of it holds for the embedding that sliding layers have: that there is no scaling at all.
RopeOptions local_options(const RopeOptions& options);

}  // namespace hearth
