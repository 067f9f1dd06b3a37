// Session::prefill and Session::generate: the prompt in parts, then one token after the other, until something says
// stop.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>

#include "hearth/speculation.h"
#include "lib/base/clock.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/session/session_impl.h"
#include "lib/session/write_text.h"

namespace hearth {
namespace {

Status check_prompt(const Session& session, size_t n_tokens) {
  const ModelInfo& info = session.model().info();
  const auto n_ctx = static_cast<size_t>(session.options().n_ctx);
  if (!info.causal) {
    return Error{ErrorCode::kUnsupported,
                 concat("architecture ", info.architecture, " is an encoder and generates no text")};
  }
  if (n_tokens > n_ctx) {
    return Error{ErrorCode::kContextFull,
                 concat("the prompt has ", n_tokens, " tokens, but the context holds ", n_ctx)};
  }
  return {};
}

/// Passes a token on; false when a callback asks to stop.
bool tell(const GeneratedToken& token, const GenerateOptions& options, const TextCallback& on_text) {
  const bool goes_on = token.text.empty() || !on_text || on_text(token.text);
  return (!options.on_token || options.on_token(token)) && goes_on;
}

/// Ends the text and passes on what was held back.
void end(Generator& generator, StopReason reason, const TextCallback& on_text) {
  const std::string_view rest = generator.finish(reason);
  if (!rest.empty() && on_text) on_text(rest);
}

/// Takes what the grammar leaves no choice about.
Status take_forced(Generator& generator, const GenerateOptions& options, const TextCallback& on_text) {
  while (!generator.finished()) {
    const Result<std::optional<GeneratedToken>> token = generator.accept_forced();
    if (!token) return token.error();
    if (!*token) break;
    if (!tell(**token, options, on_text)) end(generator, StopReason::kCallback, on_text);
  }
  return {};
}

/// Makes room for positions below `end`, as the options say, and counts what was forgotten; a context that stays full
/// is left to decode() to report.
Status make_room_below(Session& session, const GenerateOptions& options, int32_t end, int32_t& forgotten) {
  while (options.on_full != OnFull::kStop && end - forgotten > session.options().n_ctx) {
    const Result<int32_t> n = session.make_room(0, options.on_full, options.keep);
    if (!n && n.error().code == ErrorCode::kContextFull) break;
    if (!n) return n.error();
    forgotten += *n;
  }
  return {};
}

/// Computes the tokens that were taken since the last logits. forgotten: tokens that are no longer in the cache.
Status decode_pending(Session& session, const Generator& generator, const GenerateOptions& options,
                      int32_t& forgotten) {
  BatchToken next = generator.next(0);
  if (Status status = make_room_below(session, options, next.pos + 1, forgotten); !status) return status;
  if (!options.grammar) {
    next.pos -= forgotten;
    return session.decode({&next, 1}, options.cancel);
  }
  Result<std::vector<BatchToken>> batch = generator.pending(0);
  if (!batch) return batch.error();
  for (BatchToken& token : *batch) token.pos -= forgotten;
  return session.decode(*batch, options.cancel);
}

}  // namespace

namespace {

/// Ends the text where a decode() says so; other errors stay.
Status end_by(const Status& status, Generator& generator, const TextCallback& on_text) {
  const ErrorCode code = status.error().code;
  if (code != ErrorCode::kContextFull && code != ErrorCode::kCancelled) return status;
  end(generator, code == ErrorCode::kCancelled ? StopReason::kCancelled : StopReason::kContextFull, on_text);
  return {};
}

/// write_text() with drafts.
Status write_by_drafts(Session& session, Generator& generator, const GenerateOptions& options,
                       const TextCallback& on_text, const std::function<void()>& on_first) {
  Speculator& speculator = *options.speculator;
  SpeculativeText text{.seq = 0, .generator = &generator};
  if (Status status = speculator.begin(text); !status) return status;
  std::vector<BatchToken> batch;
  bool first = true;
  const auto on_token = [&](const GeneratedToken& token) {
    if (std::exchange(first, false)) on_first();
    return tell(token, options, on_text);
  };
  while (!generator.finished()) {
    if (Status status = speculator.accept(session, text, on_token); !status) return status;
    if (generator.finished()) break;
    const int32_t end = generator.next(0).pos + 1;
    if (Status status = make_room_below(session, options, end, text.forgotten); !status) return status;
    batch.clear();
    if (Status status = speculator.plan(session, {&text, 1}, batch); !status) return status;
    if (const Status status = session.decode(batch, options.cancel); !status) {
      if (Status left = end_by(status, generator, on_text); !left) return left;
    }
  }
  return {};
}

}  // namespace

Status write_text(Session& session, Generator& generator, const GenerateOptions& options, const TextCallback& on_text,
                  const std::function<void()>& on_first) {
  if (options.speculator != nullptr) return write_by_drafts(session, generator, options, on_text, on_first);
  int32_t forgotten = 0;
  for (bool first = true; !generator.finished(); first = false) {
    const Result<GeneratedToken> token = generator.accept(session.logits(0));
    if (!token) return token.error();
    if (first) on_first();
    if (!tell(*token, options, on_text)) end(generator, StopReason::kCallback, on_text);
    if (Status status = take_forced(generator, options, on_text); !status) return status;
    if (generator.finished()) break;
    const Status status = decode_pending(session, generator, options, forgotten);
    if (status) continue;
    if (Status left = end_by(status, generator, on_text); !left) return left;
  }
  return {};
}

namespace {

/// Shows the whole prompt to adapters that wait for tokens in it, while its parts are computed.
class LookAhead {
 public:
  LookAhead(Session& session, SeqId seq, std::span<const Token> tokens) : impl_(SessionInternals::of(session)) {
    if (impl_.adapters.waits_for_tokens()) impl_.look_ahead(seq, tokens);
  }
  ~LookAhead() { impl_.adapters.end_look_ahead(); }

 private:
  Session::Impl& impl_;
};

/// Tokens of the next batch of a prompt that ends at `end`. With known prefixes batches end at multiples of n_batch and
/// at the last page that the prompt fills, wherever it began; `branch` is the end of a page where one must end, too.
size_t batch_tokens(const SessionOptions& o, int32_t pos, size_t left, int32_t branch) {
  const auto n_batch = static_cast<size_t>(o.n_batch);
  if (!o.reuse_prefixes) return std::min(n_batch, left);
  const auto at = static_cast<size_t>(pos), end = at + left;
  const size_t last_page = end / KVCache::kPageTokens * KVCache::kPageTokens;
  const size_t most = std::min(n_batch - at % n_batch, at < last_page ? last_page - at : left);
  return branch > pos ? std::min(most, static_cast<size_t>(branch - pos)) : most;
}

/// Tokens at positions 0, 1, ... that a sequence does not hold, where it holds others behind them.
Status fill_gaps(Session& session, std::span<const Token> tokens, const PrefillOptions& options) {
  const auto n_tokens = static_cast<int32_t>(tokens.size());
  const KVCache& cache = session.cache();
  if (cache.length(options.seq) >= n_tokens) {
    return Error{ErrorCode::kInvalidArgument, "prefill: the sequence holds the last token already"};
  }
  std::vector<BatchToken> batch;
  for (int32_t pos = 0; pos < n_tokens;) {
    batch.clear();
    for (; pos < n_tokens && std::ssize(batch) < session.options().n_batch; ++pos) {
      if (cache.contains(options.seq, pos)) continue;
      batch.push_back({tokens[static_cast<size_t>(pos)], pos, options.seq, options.all_logits || pos + 1 == n_tokens});
    }
    if (Status status = session.decode(batch, options.cancel); !status) return status;
    if (options.on_progress && !options.on_progress(pos, n_tokens)) {
      return Error{ErrorCode::kCancelled, "cancelled while computing the prompt"};
    }
  }
  return {};
}

bool has_gaps(const KVCache& cache, SeqId seq) {
  int32_t pos = 0;
  while (pos < cache.length(seq) && cache.contains(seq, pos)) ++pos;
  return pos < cache.length(seq);
}

}  // namespace

Status Session::prefill(std::span<const Token> all_tokens, const PrefillOptions& options) {
  return guard([&]() -> Status {
    std::span<const Token> tokens = all_tokens;
    if (options.skip_held && has_gaps(cache(), options.seq)) return fill_gaps(*this, tokens, options);
    if (options.skip_held) {
      tokens = tokens.subspan(std::min(tokens.size(), static_cast<size_t>(cache().length(options.seq))));
    }
    if (tokens.empty()) return Error{ErrorCode::kInvalidArgument, "prefill: no tokens"};
    const LookAhead look_ahead(*this, options.seq, tokens);
    const auto n_tokens = static_cast<int32_t>(tokens.size());
    std::vector<BatchToken> batch;
    int32_t pos = cache().length(options.seq);
    KVCache::Impl& held = KVCacheInternals::of(cache());
    const bool shares = options.seq >= 0 && options.seq < this->options().n_seqs && impl_->shares_prefixes();
    const int32_t end = pos + n_tokens, branch = shares ? held.branch(options.seq) : 0;
    for (size_t done = 0; done < tokens.size();) {
      batch.clear();
      const int32_t first = pos;
      for (const Token id : tokens.subspan(done, batch_tokens(this->options(), pos, tokens.size() - done, branch))) {
        batch.push_back({id, pos++, options.seq, options.all_logits});
      }
      done += batch.size();
      batch.back().logits |= done == tokens.size();
      if (Status status = decode(batch, options.cancel); !status) return status;
      if (shares) {
        const bool keep_state = pos == branch || end - pos < KVCache::kPageTokens;
        held.remember(options.seq, first, pos, adapter_key(options.seq, 0), keep_state);
      }
      if (options.on_progress && !options.on_progress(static_cast<int32_t>(done), n_tokens)) {
        return Error{ErrorCode::kCancelled, "cancelled while computing the prompt"};
      }
    }
    return {};
  });
}

std::vector<Token> cached_tokens(const KVCache& cache, SeqId seq) {
  std::vector<Token> ids(static_cast<size_t>(cache.length(seq)));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = cache.token(seq, static_cast<int32_t>(i));
  return ids;
}

Result<int32_t> keep_common(Session& session, SeqId seq, std::span<const Token> cached, std::span<const Token> prompt) {
  const auto differs = std::mismatch(cached.begin(), cached.end(), prompt.begin(), prompt.end()).first;
  // The last token is computed in any case: its logits are wanted.
  const auto same = static_cast<int32_t>(std::min<std::ptrdiff_t>(differs - cached.begin(), std::ssize(prompt) - 1));
  if (same > 0 && session.cache().trim(seq, same)) return same;
  return session.reuse(seq, prompt);  // nothing in common, or a sliding window has let go of what would be needed
}

Result<int32_t> Session::reuse(SeqId seq, std::span<const Token> tokens) {
  return guard([&]() -> Result<int32_t> {
    if (Status status = cache().remove(seq, 0, -1); !status) return status.error();
    if (!impl_->shares_prefixes()) return 0;
    return KVCacheInternals::of(cache()).reuse(seq, tokens, adapter_key(seq, 0));
  });
}

Result<Generation> Session::generate(std::span<const Token> prompt, const GenerateOptions& options,
                                     const TextCallback& on_text) {
  return guard([&]() -> Result<Generation> {
    const auto start = Clock::now();
    if (Status status = check_prompt(*this, prompt.size()); !status) return status.error();
    Result<Generator> generator = Generator::create(model(), prompt, options);
    if (!generator) return generator.error();
    if (!options.continue_cache && !this->options().reuse_prefixes) cache().clear();
    const Result<int32_t> known = compute_prompt(*this, prompt, options, options.continue_cache);
    if (!known) return known.error();

    Generation result;
    result.timings.prompt_seconds = seconds_since(start);
    const auto generating = Clock::now();
    Status status = write_text(*this, *generator, options, on_text,
                               [&] { result.timings.first_token_seconds = seconds_since(start); });
    if (!status) return status.error();
    result.timings.generate_seconds = seconds_since(generating);
    result.timings.prompt_tokens = static_cast<int32_t>(prompt.size());
    result.timings.reused_tokens = *known;
    result.timings.generated_tokens = static_cast<int32_t>(generator->ids().size());
    result.prompt_ids = generator->prompt();
    result.ids = generator->ids();
    result.text = generator->text();
    result.stop_reason = generator->stop_reason();
    return result;
  });
}

Result<Generation> Session::generate(const ChatPrompt& prompt, const GenerateOptions& options,
                                     const TextCallback& on_text) {
  return guard([&]() -> Result<Generation> {
    const Result<std::vector<Token>> ids = ChatTemplate::encode(prompt, model().tokenizer());
    if (!ids) return ids.error();
    return generate(std::span<const Token>(*ids), options, on_text);
  });
}

Result<Generation> Session::generate(std::string_view prompt, const GenerateOptions& options,
                                     const TextCallback& on_text) {
  return guard([&]() -> Result<Generation> {
    const Tokenizer& tokenizer = model().tokenizer();
    Result<std::vector<Token>> ids =
        tokenizer.encode(prompt, {.add_special = options.add_special, .parse_special = options.parse_special});
    if (!ids) return ids.error();
    if (ids->empty() && options.add_special && tokenizer.bos()) ids->push_back(*tokenizer.bos());
    if (ids->empty()) return Error{ErrorCode::kInvalidArgument, "the prompt is empty, and no BOS token begins it"};
    return generate(std::span<const Token>(*ids), options, on_text);
  });
}

}  // namespace hearth
