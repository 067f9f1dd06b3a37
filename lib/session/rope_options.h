// Rotary embeddings as the caller wants them in place of the file's.
#pragma once

#include "hearth/session.h"
#include "lib/model/hparams.h"

namespace hearth {

/// What the caller asks for in place of the file's.
RopeParams with_options(RopeParams params, const RopeOptions& options);

/// What of it holds for the embedding that sliding layers have: with kNone theirs is no YaRN, but still stretched by
/// the file's factor where they share its scaling, as other programs have it (gpt-oss).
RopeOptions local_options(const RopeOptions& options);

}  // namespace hearth
