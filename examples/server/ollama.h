// Ollama's form of answers.
#pragma once

#include "openai.h"
#include "server.h"

namespace hearth_server {

constexpr const char* kNdjson = "application/x-ndjson";

/// A line with a part of an answer, without `done`.
Json ollama_line(const Answering& answering, const AnswerChoice& part, bool is_chat);
/// Adds what the last line says.
void add_ollama_end(const Answering& answering, const AnswerEnd& end, Json& line);

}  // namespace hearth_server
