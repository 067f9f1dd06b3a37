// Messages and options of the public API as the variables that templates expect.
#pragma once

#include <string>

#include "hearth/chat_template.h"
#include "lib/jinja/value.h"

namespace hearth {

/// Builds the variables `messages`, `tools`, `documents`, `add_generation_prompt`, the special tokens' texts, and
/// options.variables. kInvalidArgument names a member whose JSON is malformed or of the wrong kind.
Result<jinja::Value> make_variables(jinja::Heap& heap, const std::vector<ChatMessage>& messages,
                                    const ChatOptions& options, std::string_view bos, std::string_view eos);

}  // namespace hearth
