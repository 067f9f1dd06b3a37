// Messages and options of the public API as the variables that templates expect.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/chat_template.h"
#include "lib/jinja/value.h"

namespace hearth {

/// How messages are put to a template; templates differ in what they take.
struct MessageForm {
  enum class Content : uint8_t {
    kAsWritten,  ///< text, parts, or none
    kText,       ///< parts joined, none empty
    kParts,      ///< text as a single part
  };
  Content content = Content::kAsWritten;
  bool arguments_as_text = false;  ///< arguments of calls as JSON text
  bool system_in_user = false;     ///< the system's text begins the first user message
};

/// The forms that differ for these messages, the written one first.
std::vector<MessageForm> message_forms(const std::vector<ChatMessage>& messages);

/// Builds the variables `messages`, `tools`, `documents`, `add_generation_prompt`, the special tokens' texts, and
/// options.variables. kInvalidArgument names a member whose JSON is malformed or of the wrong kind.
Result<jinja::Value> make_variables(jinja::Heap& heap, const std::vector<ChatMessage>& messages,
                                    const ChatOptions& options, std::string_view bos, std::string_view eos,
                                    const MessageForm& form = {});

}  // namespace hearth
