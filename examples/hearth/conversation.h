// Conversation: messages, the model's answers to them, and what of them the cache holds.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/chat.h"
#include "hearth/session.h"

namespace hearth_tool {

/// What the last answer took.
struct AnswerStats {
  int32_t prompt_tokens = 0;  ///< of the whole conversation
  int32_t cached_tokens = 0;  ///< of these, were in the cache already
  int32_t generated_tokens = 0;
  double prompt_seconds = 0, generate_seconds = 0;
  std::string stop;
};

class Conversation {
 public:
  Conversation(const hearth::Model& model, hearth::Session& session, hearth::ChatTemplate tmpl)
      : model_(model), session_(session), template_(std::move(tmpl)) {}

  std::vector<hearth::ChatMessage> messages;
  hearth::ChatOptions options;
  hearth::SamplerOptions sampler;
  int32_t max_tokens = -1;  ///< of an answer; < 0: until the model ends it or the context is full

  /// Answers the last message and appends the answer. kContextFull when the conversation does not fit; then nothing
  /// was appended. `on_text` returns false to stop: what was said so far is the answer.
  hearth::Result<AnswerStats> answer(const hearth::TextCallback& on_text, const std::function<bool()>& stopped);
  int32_t used_tokens() const { return static_cast<int32_t>(cached_.size()); }

 private:
  /// Drops from the cache what differs from `ids`, computes the rest. Number of tokens that were there.
  hearth::Result<int32_t> compute(const std::vector<hearth::Token>& ids, const std::function<bool()>& stopped);

  const hearth::Model& model_;
  hearth::Session& session_;
  hearth::ChatTemplate template_;
  std::vector<hearth::Token> cached_;  // what sequence 0 of the session holds
  uint64_t answers_ = 0;
};

}  // namespace hearth_tool
