// The OpenAI form of requests and answers; LM Studio's v0 routes share it.
#pragma once

#include <memory>
#include <vector>

#include "answering.h"

namespace hearth_server {

/// POST /v1/chat/completions and /v1/completions as an Ask.
Ask read_openai_chat(const Json& body);
Ask read_openai_completion(const Json& body, bool& echo);

Json openai_chat_json(const Answering& answering, const std::vector<AnswerChoice>& choices);
std::unique_ptr<AnswerWriter> openai_chat_writer(std::shared_ptr<Answering> answering, bool with_usage);

Json openai_usage(const Usage& usage);
/// What llama-server tells of time besides.
Json timings_json(const AnswerEnd& end);
/// "stop", "length", "tool_calls".
const char* openai_finish(const AnswerEnd& end);
/// One token with its alternatives, in the form of chat's logprobs.
Json chance_json(const TokenChance& chance, bool with_top = true);
Json calls_json(const std::vector<hearth::ToolCall>& calls);

}  // namespace hearth_server
