// Generator: sampler, text decoder and stop texts around the tokens of one sequence.
#include "hearth/generator.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/session/stop_texts.h"

namespace hearth {
namespace {

/// softmax(logits)[id], summed in double; 0 for an id beyond them.
float probability_of(Token id, std::span<const float> logits) {
  if (static_cast<size_t>(id) >= logits.size()) return 0;
  const float max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - double{max});
  return static_cast<float>(std::exp(double{logits[static_cast<size_t>(id)]} - double{max}) / sum);
}

}  // namespace

struct Generator::Impl {
  Impl(const Tokenizer& shared, std::span<const Token> prompt_ids, const GenerateOptions& wanted)
      : tokenizer(shared),
        options(wanted),
        decoder(tokenizer, {.skip_special = wanted.skip_special}),
        stops(wanted.stop_texts),
        prompt(prompt_ids.begin(), prompt_ids.end()) {}

  Sampler& chain() { return own ? *own : *options.own_sampler; }
  bool constrains() const { return matcher && !waits; }
  std::optional<std::string> behind_trigger(Token id) const;
  Result<bool> may_begin_with(Token id);
  Result<Token> choose_waiting(Sampler& by, std::span<const float> logits);
  Result<Token> choose(Sampler& by, std::span<const float> logits);
  Status follow(Token id);
  Status take(GeneratedToken& token);
  size_t n_settled(const std::vector<Token>& tokens, const std::string& must) const;
  Status plan_forced();
  Result<Token> draft(std::span<const float> logits);
  Result<int32_t> draftable(std::span<const Token> tokens);
  void end_draft();
  std::string_view hand_out(std::string_view piece);
  void end(StopReason why);
  Result<GeneratedToken> accept(std::span<const float> logits);

  Tokenizer tokenizer;
  GenerateOptions options;
  std::optional<Sampler> own;
  TokenDecoder decoder;
  StopTexts stops;
  std::optional<GrammarMatcher> matcher;
  bool waits = false;              ///< for options.grammar_after
  std::string tail;                ///< while it waits: the last bytes, too few to hold that text
  std::vector<Token> forced;       ///< the tokens that must come next, last one first
  size_t n_pending = 0;            ///< of ids, since the last accept()
  std::optional<Sampler> drafter;  ///< the chain as it would be after a draft
  int32_t n_drafted = 0;           ///< tokens of the draft; a grammar that has begun has gone along
  std::vector<Token> prompt, ids;
  std::string text;
  size_t n_handed_out = 0;  ///< bytes of text that earlier calls returned
  bool finished = false;
  StopReason reason = StopReason::kLength;
};

/// Adds a piece to the text; returns what this call has added so far.
std::string_view Generator::Impl::hand_out(std::string_view piece) {
  text += piece;
  return std::string_view(text).substr(n_handed_out);
}

/// Flushes the decoder and what was held back, which may hold a stop text after all.
void Generator::Impl::end(StopReason why) {
  finished = true;
  reason = why;
  if (why == StopReason::kStopText || why == StopReason::kCallback) return;
  hand_out(stops.push(decoder.finish()));
  if (stops.found()) {
    reason = StopReason::kStopText;
  } else {
    hand_out(stops.flush());
  }
}

/// What a token that completes the text before the grammar adds behind it; nullopt: it does not complete it.
std::optional<std::string> Generator::Impl::behind_trigger(Token id) const {
  const std::string ahead = concat(tail, tokenizer.piece(id));
  const size_t at = ahead.find(options.grammar_after);
  if (at == std::string::npos) return std::nullopt;
  return ahead.substr(at + options.grammar_after.size());
}

/// Whether the grammar, if it begins within this token, allows the rest of it.
Result<bool> Generator::Impl::may_begin_with(Token id) {
  const std::optional<std::string> rest = behind_trigger(id);
  if (!rest || rest->empty()) return true;
  const Status status = matcher->accept(*rest);
  if (!status && status.error().code != ErrorCode::kInvalidArgument) return status.error();
  if (status) matcher->rollback(1);
  return status.ok();
}

/// A sampler's choice, but no token in which the grammar would begin and fail at once.
Result<Token> Generator::Impl::choose_waiting(Sampler& by, std::span<const float> logits) {
  const Result<Token> id = by.sample(logits);
  if (!id) return id;
  const Result<bool> fits = may_begin_with(*id);
  if (!fits) return fits.error();
  if (*fits) return id;
  std::vector<uint64_t> allowed((logits.size() + 63) / 64);
  for (Token other = 0; other < tokenizer.n_vocab(); ++other) {
    const Result<bool> may = may_begin_with(other);
    if (!may) return may.error();
    if (*may) allowed[static_cast<size_t>(other) / 64] |= uint64_t{1} << (other % 64);
  }
  return by.sample(logits, allowed);
}

/// A sampler's choice, among what the grammar allows.
Result<Token> Generator::Impl::choose(Sampler& by, std::span<const float> logits) {
  if (!matcher) return by.sample(logits);
  if (waits) return choose_waiting(by, logits);
  const auto mask = matcher->mask();
  if (!mask) return mask.error();
  if (std::all_of(mask->begin(), mask->end(), [](uint64_t word) { return word == 0; })) {
    return Error{ErrorCode::kInvalidArgument, "grammar: no token of this vocabulary may follow what was written"};
  }
  return by.sample(logits, *mask);
}

/// Tells the grammar of a token, or looks whether it begins with it.
Status Generator::Impl::follow(Token id) {
  if (!matcher) return {};
  if (!waits) return matcher->accept(id);
  const std::optional<std::string> rest = behind_trigger(id);
  if (rest) {
    if (Status status = rest->empty() ? Status() : matcher->accept(*rest); !status) return status;
    waits = false;
    return {};
  }
  tail += tokenizer.piece(id);
  if (tail.size() >= options.grammar_after.size()) tail.erase(0, tail.size() - options.grammar_after.size() + 1);
  return {};
}

/// Adds a token to the text, and ends it where something says so.
Status Generator::Impl::take(GeneratedToken& token) {
  const bool was_constrained = constrains();
  if (Status status = follow(token.id); !status) return status;
  chain().accept(token.id);
  n_handed_out = text.size();
  const bool is_end = tokenizer.is_end(token.id) && !options.ignore_end;
  if (was_constrained ? matcher->ended() : is_end) {
    end(StopReason::kEndToken);
  } else {
    ids.push_back(token.id);
    ++n_pending;
    hand_out(stops.push(decoder.push(token.id)));
    if (decoder.lost_text()) return Error{ErrorCode::kOutOfMemory, "out of memory"};
    if (stops.found()) {
      end(StopReason::kStopText);
    } else if (constrains() && matcher->is_complete()) {
      end(StopReason::kEndToken);
    } else if (static_cast<int64_t>(ids.size()) == options.max_tokens) {
      end(StopReason::kLength);
    }
  }
  token.text = hand_out({});
  token.finished = finished;
  token.stop_reason = reason;
  return {};
}

/// How many tokens at the beginning of a text stay the same, whatever follows it: judged by letters that mostly do.
size_t Generator::Impl::n_settled(const std::vector<Token>& tokens, const std::string& must) const {
  size_t n = tokens.empty() ? 0 : tokens.size() - 1;
  for (const char next : {'"', 'a', '1', ' ', '}', '\n'}) {
    const Result<std::vector<Token>> longer = tokenizer.encode(must + next);
    if (!longer) return 0;
    const auto differ = std::mismatch(tokens.begin(), tokens.end(), longer->begin(), longer->end()).first;
    n = std::min(n, static_cast<size_t>(differ - tokens.begin()));
  }
  return n;
}

/// Tokens of the text that must follow. The last ones wait, as they might have become part of longer ones, unless the
/// grammar ends with them.
Status Generator::Impl::plan_forced() {
  forced.clear();
  const Result<std::string> must = matcher->forced();
  if (!must) return must.error();
  if (must->empty()) return {};
  const Result<std::vector<Token>> tokens = tokenizer.encode(*must);
  if (!tokens) return {};
  std::string spelled;
  for (const Token id : *tokens) spelled += tokenizer.piece(id);
  if (spelled != *must) return {};  // vocabularies that add a blank in front
  if (Status status = matcher->accept(*must); !status) return status;
  const bool ends = matcher->is_complete();
  matcher->rollback(1);
  const size_t n = ends ? tokens->size() : n_settled(*tokens, *must);
  forced.assign(tokens->rend() - static_cast<std::ptrdiff_t>(n), tokens->rend());
  return {};
}

Result<GeneratedToken> Generator::Impl::accept(std::span<const float> logits) {
  if (finished) return Error{ErrorCode::kInvalidArgument, "the generator has finished"};
  end_draft();
  const Result<Token> taken = choose(chain(), logits);
  if (!taken) return taken.error();
  GeneratedToken token{.id = *taken};
  if (options.probabilities || options.on_token) {
    const auto n_vocab = static_cast<size_t>(tokenizer.n_vocab());
    const size_t n_tokens = n_vocab > 0 ? std::min(logits.size(), n_vocab) : logits.size();
    token.probability = probability_of(token.id, logits.first(n_tokens));
  }
  n_pending = 0;
  if (Status status = take(token); !status) return status.error();
  if (constrains() && !finished) {
    if (Status status = plan_forced(); !status) return status.error();
  }
  return token;
}

void Generator::Impl::end_draft() {
  if (constrains() && n_drafted > 0) matcher->rollback(static_cast<size_t>(n_drafted));
  n_drafted = 0;
  drafter.reset();
}

Result<Token> Generator::Impl::draft(std::span<const float> logits) {
  const auto n_after = static_cast<int64_t>(ids.size()) + n_drafted + 1;
  if (finished || (options.max_tokens >= 0 && n_after > options.max_tokens)) return Token{-1};
  if (!drafter) {
    Result<Sampler> made = own ? own->clone() : Sampler::create(static_cast<int32_t>(logits.size()), {.greedy = true});
    if (!made) return made.error();
    drafter.emplace(std::move(*made));
  }
  const Result<Token> token = constrains() ? choose(*drafter, logits) : drafter->sample(logits);
  if (!token && token.error().code == ErrorCode::kInvalidArgument) return Token{-1};  // the grammar ends here
  if (!token) return token.error();
  if (tokenizer.is_end(*token) && (constrains() || !options.ignore_end)) return Token{-1};
  if (constrains()) {
    if (Status status = matcher->accept(*token); !status) return status.error();
  }
  ++n_drafted;
  drafter->accept(*token);
  return token;
}

Result<int32_t> Generator::Impl::draftable(std::span<const Token> tokens) {
  end_draft();
  if (options.max_tokens >= 0) {  // a draft of n gives n + 1 tokens
    const int64_t left = std::max<int64_t>(options.max_tokens - static_cast<int64_t>(ids.size()) - 1, 0);
    tokens = tokens.first(std::min(tokens.size(), static_cast<size_t>(left)));
  }
  int32_t n = 0;
  for (const Token id : tokens) {
    const bool ends = tokenizer.is_end(id) && (constrains() || !options.ignore_end);
    if (finished || ends || (constrains() && !matcher->accept(id))) break;
    ++n;
  }
  if (constrains()) matcher->rollback(static_cast<size_t>(n));
  return n;
}

Generator::Generator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

Result<Generator> Generator::create(const Model& model, std::span<const Token> prompt, const GenerateOptions& options) {
  return guard([&] { return create(model.tokenizer(), model.info().n_vocab, prompt, options); });
}

Result<Generator> Generator::create(const Tokenizer& tokenizer, int32_t n_logits, std::span<const Token> prompt,
                                    const GenerateOptions& options) {
  return guard([&]() -> Result<Generator> {
    if (prompt.empty()) return Error{ErrorCode::kInvalidArgument, "the prompt is empty"};
    for (const Token id : prompt) {
      if (id >= 0 && id < n_logits) continue;
      return Error{ErrorCode::kInvalidArgument, concat("prompt: token id ", id, " is not in 0..", n_logits - 1)};
    }
    auto impl = std::make_unique<Impl>(tokenizer, prompt, options);
    if (!options.own_sampler) {
      Result<Sampler> made = Sampler::create(n_logits, options.sampler, &tokenizer);
      if (!made) return made.error();
      impl->own.emplace(std::move(*made));
    }
    if (options.grammar) {
      Result<GrammarMatcher> matcher = GrammarMatcher::create(*options.grammar, tokenizer);
      if (!matcher) return matcher.error();
      impl->matcher.emplace(std::move(*matcher));
      impl->waits = !options.grammar_after.empty();
    }
    for (const Token id : prompt) impl->chain().accept(id);
    if (options.max_tokens == 0) impl->end(StopReason::kLength);
    return Generator(std::move(impl));
  });
}

Result<GeneratedToken> Generator::accept(std::span<const float> logits) {
  Impl& g = *impl_;
  Result<GeneratedToken> token = guard([&] { return g.accept(logits); });
  if (!token && token.error().code == ErrorCode::kOutOfMemory && !std::exchange(g.finished, true)) {
    g.reason = StopReason::kCancelled;
  }
  return token;
}

Result<std::optional<GeneratedToken>> Generator::accept_forced() {
  Impl& g = *impl_;
  if (g.finished || g.forced.empty()) return std::optional<GeneratedToken>();
  GeneratedToken token{.id = g.forced.back()};
  g.forced.pop_back();
  const Status status = guard([&] { return g.take(token); });
  if (status) return std::optional(token);
  if (status.error().code == ErrorCode::kOutOfMemory && !std::exchange(g.finished, true)) {
    g.reason = StopReason::kCancelled;
  }
  return status.error();
}

Result<Token> Generator::draft(std::span<const float> logits) {
  return guard([&] { return impl_->draft(logits); });
}

Result<int32_t> Generator::draftable(std::span<const Token> tokens) {
  return guard([&] { return impl_->draftable(tokens); });
}

Result<std::vector<BatchToken>> Generator::pending(SeqId seq) const {
  return guard([&]() -> Result<std::vector<BatchToken>> {
    const Impl& g = *impl_;
    const size_t n = std::max<size_t>(std::min(g.n_pending, g.ids.size()), 1);
    std::vector<BatchToken> batch(n, next(seq));
    for (size_t i = 0; i + 1 < n; ++i) {
      const size_t back = n - 1 - i;
      batch[i].id = g.ids[g.ids.size() - 1 - back];
      batch[i].pos -= static_cast<int32_t>(back);
      batch[i].logits = false;
    }
    return batch;
  });
}

BatchToken Generator::next(SeqId seq) const {
  const Impl& g = *impl_;
  const Token last = g.ids.empty() ? g.prompt.back() : g.ids.back();
  return {last, static_cast<int32_t>(g.prompt.size() + g.ids.size()) - 1, seq, true};
}

std::string_view Generator::finish(StopReason reason) {
  impl_->n_handed_out = impl_->text.size();
  return guard_or(std::string_view(), [&] {
    if (!impl_->finished) impl_->end(reason);
    return impl_->hand_out({});
  });
}

bool Generator::finished() const {
  return impl_->finished;
}
StopReason Generator::stop_reason() const {
  return impl_->reason;
}
const std::vector<Token>& Generator::prompt() const {
  return impl_->prompt;
}
const std::vector<Token>& Generator::ids() const {
  return impl_->ids;
}
const std::string& Generator::text() const {
  return impl_->text;
}

const char* stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kLength: return "length";
    case StopReason::kEndToken: return "end_token";
    case StopReason::kStopText: return "stop_text";
    case StopReason::kCallback: return "callback";
    case StopReason::kContextFull: return "context_full";
    case StopReason::kCancelled: return "cancelled";
  }
  return "unknown";
}

const char* on_full_name(OnFull on_full) {
  switch (on_full) {
    case OnFull::kStop: return "stop";
    case OnFull::kShift: return "shift";
    case OnFull::kWindow: return "window";
  }
  return "unknown";
}

}  // namespace hearth
