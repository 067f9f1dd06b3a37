// The loop of generation that Session::generate and Chat share.
#pragma once

#include <functional>

#include "hearth/session.h"

namespace hearth {

/// Samples and decodes in sequence 0, from the logits of the prompt on, until something ends the text; a full context
/// and a cancelled decode end it, other errors are returned. `on_first` is called once the first token is there.
Status write_text(Session& session, Generator& generator, const GenerateOptions& options, const TextCallback& on_text,
                  const std::function<void()>& on_first);

}  // namespace hearth
