// Readers of what several protocols have in common.
#pragma once

#include <string>

#include "api_error.h"
#include "ask.h"

namespace hearth_server {

/// Settings of the sampler by the names that llama-server, OpenAI and Ollama share; absent ones stay. A seed that is
/// absent or negative becomes a random one.
void read_sampling(const Json& body, hearth::SamplerOptions& sampler);
/// {"id": value} or [[id or text, value], ...]; false forbids.
void read_logit_bias(const Json& body, Ask& ask);
/// [{"id": 0, "scale": 0.5}, ...], as llama-server has it.
std::vector<std::pair<int64_t, float>> read_adapter_scales(const Json& list);
/// Messages in OpenAI's form (also those of Ollama, whose arguments are objects). Developers count as system, parts of
/// text are joined by line breaks; pictures and sounds are an ApiError.
std::vector<hearth::ChatMessage> read_messages(const Json& list);
/// `tools` and `tool_choice` of OpenAI's form; `flat`: the form of /v1/responses, without "function" around it.
void read_tools(const Json& body, Ask& ask, bool flat = false);
/// response_format of OpenAI's form; text.format of /v1/responses.
void read_format(const Json* format, Ask& ask);
/// reasoning_effort, chat_template_kwargs.
void read_reasoning(const Json& body, Ask& ask);
/// A prompt: text, token ids, or both in turn; a list of texts or of lists is several.
std::vector<Prompt> read_prompts(const Json& body, std::string_view name);
/// "5m", "1h30m", a number of seconds. ApiError (400) for anything else.
double read_duration(const Json& value, std::string_view name);
/// The same for a text; nothing when it is none.
std::optional<double> parse_duration(const std::string& text);

/// `prefix` and 24 random hexadecimal digits.
std::string random_id(const char* prefix);
int64_t unix_now();

}  // namespace hearth_server
