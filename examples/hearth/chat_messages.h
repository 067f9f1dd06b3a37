// Conversations as JSON, and the template that a command asks for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hearth/chat_template.h"
#include "json_output.h"

namespace hearth_tool {

/// Messages in the form of OpenAI's chat API: role; content as text, parts or null; reasoning_content; tool_calls;
/// tool_call_id; name. kFormat names the message at fault.
hearth::Result<std::vector<hearth::ChatMessage>> messages_from_json(const Json& list);
Json messages_to_json(const std::vector<hearth::ChatMessage>& messages);

/// NAME=VALUE pairs as template variables; a value that is not JSON is a text.
hearth::Result<std::vector<std::pair<std::string, std::string>>> template_variables(
    const std::vector<std::string>& pairs);

/// The file's own template, or the one in `path` when that is not empty.
hearth::Result<hearth::ChatTemplate> open_template(const hearth::GgufFile& file, const hearth::Tokenizer& tokenizer,
                                                   const std::string& path);

}  // namespace hearth_tool
