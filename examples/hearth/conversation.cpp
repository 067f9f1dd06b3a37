// Answers: render, compute what is new, sample.
#include "conversation.h"

#include <algorithm>
#include <chrono>

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Token;

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Result<int32_t> Conversation::compute(const std::vector<Token>& ids, const std::function<bool()>& stopped) {
  const auto differs = std::mismatch(cached_.begin(), cached_.end(), ids.begin(), ids.end()).first;
  // The last token is computed in any case: its logits are wanted.
  size_t same = std::min(static_cast<size_t>(differs - cached_.begin()), ids.size() - 1);
  if (!session_.cache().trim(0, static_cast<int32_t>(same))) {
    session_.cache().clear();  // a sliding window has let go of what would be needed
    same = 0;
  }
  cached_.resize(same);
  const auto batch_size = static_cast<size_t>(session_.options().n_batch);
  for (size_t at = same; at < ids.size();) {
    if (stopped()) return Error{ErrorCode::kCancelled, "stopped"};
    const size_t end = std::min(ids.size(), at + batch_size);
    std::vector<hearth::BatchToken> batch;
    for (size_t i = at; i < end; ++i) {
      batch.push_back({.id = ids[i], .pos = static_cast<int32_t>(i), .seq = 0, .logits = i + 1 == ids.size()});
    }
    if (auto status = session_.decode(batch); !status) return status.error();
    cached_.insert(cached_.end(), ids.begin() + static_cast<std::ptrdiff_t>(at),
                   ids.begin() + static_cast<std::ptrdiff_t>(end));
    at = end;
  }
  return static_cast<int32_t>(same);
}

Result<AnswerStats> Conversation::answer(const hearth::TextCallback& on_text, const std::function<bool()>& stopped) {
  const hearth::Tokenizer& tokenizer = model_.tokenizer();
  const auto prompt = template_.render(messages, options);
  if (!prompt) return prompt.error();
  const auto ids = template_.encode(*prompt, tokenizer);
  if (!ids) return ids.error();
  const auto n_ctx = static_cast<size_t>(session_.options().n_ctx);
  if (ids->empty()) return Error{ErrorCode::kInvalidArgument, "the template gives an empty prompt"};
  if (ids->size() >= n_ctx) {
    return Error{ErrorCode::kContextFull, "the conversation has " + std::to_string(ids->size()) +
                                              " tokens, and the context holds " + std::to_string(n_ctx)};
  }
  AnswerStats stats;
  stats.prompt_tokens = static_cast<int32_t>(ids->size());
  auto begin = std::chrono::steady_clock::now();
  const auto cached = compute(*ids, stopped);
  if (!cached) return cached.error();
  stats.cached_tokens = *cached;
  stats.prompt_seconds = seconds_since(begin);

  hearth::SamplerOptions sampling = sampler;
  sampling.seed += answers_++;  // a second try is another answer
  auto chain = hearth::Sampler::create(tokenizer.n_vocab(), sampling, &tokenizer);
  if (!chain) return chain.error();
  for (const Token id : *ids) chain->accept(id);
  begin = std::chrono::steady_clock::now();
  hearth::TokenDecoder decoder(tokenizer, {.skip_special = true});
  std::string text;
  stats.stop = "length";
  const auto say = [&](std::string_view piece) {
    text += piece;
    return on_text(piece) && !stopped();
  };
  while (max_tokens < 0 || stats.generated_tokens < max_tokens) {
    const auto id = chain->sample(session_.logits(0));
    if (!id) return id.error();
    chain->accept(*id);
    if (tokenizer.is_end(*id)) {
      stats.stop = "end of the answer";
      break;
    }
    ++stats.generated_tokens;
    if (!say(decoder.push(*id))) {
      stats.stop = "stopped";
      break;
    }
    if (cached_.size() >= n_ctx) {
      stats.stop = "context full";
      break;
    }
    const hearth::BatchToken next{.id = *id, .pos = static_cast<int32_t>(cached_.size()), .seq = 0, .logits = true};
    if (auto status = session_.decode({&next, 1}); !status) {
      if (status.error().code != ErrorCode::kContextFull) return status.error();
      stats.stop = "context full";
      break;
    }
    cached_.push_back(*id);
  }
  const std::string_view rest = decoder.finish();
  text += rest;
  on_text(rest);
  stats.generate_seconds = seconds_since(begin);
  messages.push_back({.role = "assistant", .content = text});
  return stats;
}

}  // namespace hearth_tool
