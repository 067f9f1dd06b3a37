// A request for text in one form for all protocols, and what comes back. Each protocol reads its requests into an Ask
// and writes AnswerEvents in its own words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hearth/chat_template.h"
#include "hearth/engine.h"
#include "hearth/tool_use.h"
#include "json.h"

namespace hearth_server {

/// A prompt that is no conversation: texts and tokens in turn. Control tokens written in the texts count as such.
struct PromptPart {
  std::string text{};
  std::vector<hearth::Token> tokens{};  ///< used when `text` is empty
};
using Prompt = std::vector<PromptPart>;

using hearth::ToolChoice;
/// What the answer must look like.
enum class Format { kAny, kJson, kSchema, kGrammar };

struct Ask {
  std::string model{};                 ///< as the client wrote it; answers repeat it
  std::optional<double> keep_alive{};  ///< seconds; < 0: for ever

  // One of these two:
  std::vector<hearth::ChatMessage> messages{};
  std::vector<Prompt> prompts{};
  bool is_chat = false;
  bool drop_oldest = false;  ///< a conversation that does not fit loses its oldest turns

  std::string tools_json{};  ///< a list in OpenAI's form; empty: none
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name{};  ///< of kNamed
  bool parallel_tools = true;
  std::optional<hearth::ToolUse> tools{};  ///< of a conversation, once its model is known (use_tools)

  std::optional<bool> thinking{};                                ///< nothing: as the template does by itself
  std::vector<std::pair<std::string, std::string>> variables{};  ///< for the template: name and JSON value

  Format format = Format::kAny;
  std::string format_text{};  ///< the schema, or the grammar

  hearth::GenerateOptions generate{};
  std::vector<std::pair<std::string, float>> text_bias{};            ///< added to the logits of all tokens of a text
  std::optional<std::vector<std::pair<int64_t, float>>> adapters{};  ///< by number: how much of each; others: none
  int32_t n = 1;
  hearth::SeqId seq = -1;  ///< EngineRequest::seq
  int32_t n_top = -1;      ///< alternatives to tell of each token; 0: only its own probability; -1: nothing
  bool reuse_prefix = true;
  std::optional<int32_t> reuse_stretches{};  ///< GenerateOptions::reuse_stretches; nothing: as the server was told
  bool stream = false;
  bool report_prompt = false;  ///< of a stream: tell how far the prompt is
  bool count_only = false;     ///< only the number of tokens in the prompt is wanted
};

/// A token with its probability, and the most probable ones in its place.
struct TokenChance {
  hearth::Token id = 0;
  std::string piece{};
  double logprob = 0;
  std::vector<TokenChance> top{};
};

/// How an answer ended.
struct AnswerEnd {
  hearth::StopReason reason = hearth::StopReason::kLength;
  std::string stop_text{};  ///< the text that ended it
  bool called_tools = false;
  int32_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  hearth::Timings timings{};
  double queued_seconds = 0;
  int32_t drafted_tokens = 0, accepted_tokens = 0;  ///< guessed ahead, and guessed right
  hearth::SeqId seq = -1;                           ///< EngineEvent::seq

  bool by_length() const { return reason != hearth::StopReason::kEndToken && reason != hearth::StopReason::kStopText; }
};

struct AnswerEvent {
  enum class Kind {
    kPrompt,     ///< a part of the prompt is computed; only where Ask::report_prompt asked for it
    kText,       ///< text of the answer
    kReasoning,  ///< text of what went before it
    kCall,       ///< a tool is called: its name
    kArguments,  ///< a piece of the arguments of the last call
    kEnd,        ///< an answer is complete
  };
  Kind kind = Kind::kText;
  int32_t choice = 0;  ///< prompt * n + answer
  std::string text{};  ///< of kText, kReasoning, kArguments
  int32_t call = 0;    ///< of kCall and kArguments: which, from 0
  std::string call_id{}, call_name{};
  std::vector<TokenChance> chances{};
  std::vector<hearth::Token> ids{};
  int32_t prompt_done = 0, prompt_total = 0;  ///< tokens, of kPrompt
  AnswerEnd end{};
};

/// A whole answer.
struct AnswerChoice {
  std::string text{}, reasoning{};
  std::vector<hearth::ToolCall> calls{};
  std::vector<TokenChance> chances{};
  std::vector<hearth::Token> ids{};
  AnswerEnd end{};
};

/// What all answers to a request took together.
struct Usage {
  int32_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
};
Usage usage_of(const std::vector<AnswerChoice>& choices, int32_t n);

}  // namespace hearth_server
