// Session::generate: prompt, sample, decode, until something says stop.
#include <algorithm>
#include <chrono>
#include <string>

#include "lib/session/session_impl.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Collects text, looks for stop texts, and passes on what can no longer become part of one.
class TextSink {
 public:
  TextSink(const std::vector<std::string>& stops, const TextCallback& on_text, std::string& out)
      : stops_(stops), on_text_(on_text), out_(out) {}

  /// False when generation has to stop; then stopped_by() says why.
  bool push(std::string_view text) {
    pending_ += text;
    for (const std::string& stop : stops_) {
      const size_t at = stop.empty() ? std::string::npos : pending_.find(stop);
      if (at == std::string::npos) continue;
      pending_.resize(at);
      reason_ = StopReason::kStopText;
    }
    const size_t held = reason_ == StopReason::kStopText ? 0 : held_back();
    emit(pending_.size() - held);
    return reason_ == StopReason::kLength;
  }

  void flush() {
    if (reason_ == StopReason::kLength) emit(pending_.size());
  }

  /// kLength while nothing has asked to stop.
  StopReason reason() const { return reason_; }

 private:
  /// Length of the longest end of pending_ that begins a stop text.
  size_t held_back() const {
    size_t longest = 0;
    for (const std::string& stop : stops_) {
      for (size_t n = std::min(stop.size(), pending_.size()); n > longest; --n) {
        if (pending_.compare(pending_.size() - n, n, stop, 0, n) == 0) longest = n;
      }
    }
    return longest;
  }

  void emit(size_t n) {
    if (n == 0) return;
    const std::string_view text(pending_.data(), n);
    out_ += text;
    if (on_text_ && !on_text_(text) && reason_ == StopReason::kLength) reason_ = StopReason::kCallback;
    pending_.erase(0, n);
  }

  const std::vector<std::string>& stops_;
  const TextCallback& on_text_;
  std::string& out_;
  std::string pending_;
  StopReason reason_ = StopReason::kLength;
};

/// Computes the prompt at positions 0, 1, ..., n_batch at a time; only the last token's logits are wanted.
Status decode_prompt(Session& session, std::span<const Token> ids, const GenerateOptions& options) {
  const size_t n_batch = static_cast<size_t>(session.options().n_batch);
  std::vector<BatchToken> batch;
  for (size_t begin = 0; begin < ids.size(); begin += batch.size()) {
    batch.clear();
    for (size_t i = begin; i < std::min(begin + n_batch, ids.size()); ++i) {
      batch.push_back({ids[i], static_cast<int32_t>(i), 0, i + 1 == ids.size()});
    }
    if (Status status = session.decode(batch); !status) return status;
    const bool goes_on = !options.on_prompt || options.on_prompt(static_cast<int32_t>(begin + batch.size()),
                                                                 static_cast<int32_t>(ids.size()));
    if (!goes_on) return Error{ErrorCode::kCancelled, "cancelled while computing the prompt"};
  }
  return {};
}

Result<Generation> tokenize_prompt(const Session& session, std::string_view prompt, const GenerateOptions& options) {
  const Tokenizer& tokenizer = session.model().tokenizer();
  Generation result;
  Result<std::vector<Token>> ids =
      tokenizer.encode(prompt, {.add_special = options.add_special, .parse_special = options.parse_special});
  if (!ids) return ids.error();
  result.prompt_ids = std::move(*ids);
  if (result.prompt_ids.empty() && tokenizer.bos()) result.prompt_ids.push_back(*tokenizer.bos());
  if (result.prompt_ids.empty())
    return Error{ErrorCode::kInvalidArgument, "the prompt is empty and the vocabulary has no BOS token"};
  const auto n_ctx = static_cast<size_t>(session.options().n_ctx);
  if (result.prompt_ids.size() > n_ctx) {
    return Error{ErrorCode::kContextFull, "the prompt has " + std::to_string(result.prompt_ids.size()) +
                                              " tokens, but the context holds " + std::to_string(n_ctx)};
  }
  return result;
}

}  // namespace

const char* stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kLength: return "length";
    case StopReason::kEndToken: return "end_token";
    case StopReason::kStopText: return "stop_text";
    case StopReason::kCallback: return "callback";
    case StopReason::kContextFull: return "context_full";
  }
  return "unknown";
}

Result<Generation> Session::generate(std::string_view prompt, const GenerateOptions& options,
                                     const TextCallback& on_text) {
  const auto start = Clock::now();
  const Tokenizer& tokenizer = model().tokenizer();
  if (!model().info().causal)
    return Error{ErrorCode::kUnsupported,
                 "architecture " + model().info().architecture + " is an encoder and generates no text"};
  Result<Sampler> sampler = Sampler::create(model().info().n_vocab, options.sampler, &tokenizer);
  if (!sampler) return sampler.error();
  Result<Generation> made = tokenize_prompt(*this, prompt, options);
  if (!made) return made.error();
  Generation& result = *made;

  cache().clear();
  if (Status status = decode_prompt(*this, result.prompt_ids, options); !status) return status.error();
  for (const Token id : result.prompt_ids) sampler->accept(id);
  result.timings.prompt_tokens = static_cast<int32_t>(result.prompt_ids.size());
  result.timings.prompt_seconds = seconds_since(start);

  const auto generating = Clock::now();
  TextSink sink(options.stop, on_text, result.text);
  TokenDecoder decoder(tokenizer);
  for (int32_t n = 0; options.max_tokens < 0 || n < options.max_tokens; ++n) {
    Result<Token> next = sampler->sample(logits(0));
    if (!next) return next.error();
    sampler->accept(*next);
    if (n == 0) result.timings.first_token_seconds = seconds_since(start);
    if (tokenizer.is_end(*next) && !options.ignore_end) {
      result.stop = StopReason::kEndToken;
      break;
    }
    result.ids.push_back(*next);
    if (!sink.push(decoder.push(*next))) break;
    if (options.max_tokens >= 0 && n + 1 == options.max_tokens) break;  // nobody needs the logits after the last token
    const auto pos = static_cast<int32_t>(result.prompt_ids.size() + result.ids.size() - 1);
    const BatchToken token{*next, pos, 0, true};
    if (Status status = decode({&token, 1}); !status) {
      if (status.error().code != ErrorCode::kContextFull) return status.error();
      result.stop = StopReason::kContextFull;
      break;
    }
  }
  if (sink.reason() == StopReason::kLength) sink.push(decoder.finish());
  sink.flush();
  if (sink.reason() != StopReason::kLength) result.stop = sink.reason();
  result.timings.generated_tokens = static_cast<int32_t>(result.ids.size());
  result.timings.generate_seconds = seconds_since(generating);
  return made;
}

}  // namespace hearth
