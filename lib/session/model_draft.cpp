// A second session follows each text, and goes on by itself.
#include "lib/session/model_draft.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/session/session_impl.h"

namespace hearth {
namespace {

/// Tokens that one of two vocabularies may have more, as padding.
constexpr int32_t kMaxPadding = 1024;

Error differ(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "the draft model has another vocabulary: " + what};
}

Status check_special(const char* what, std::optional<Token> target, std::optional<Token> draft) {
  if (target == draft) return {};
  const auto name = [](std::optional<Token> id) { return id ? std::to_string(*id) : std::string("none"); };
  return differ(concat(what, " is token ", name(draft), ", and ", name(target), " in the model"));
}

}  // namespace

Status check_same_vocabulary(const Tokenizer& target, const Tokenizer& draft) {
  const int32_t n = target.n_vocab(), m = draft.n_vocab();
  if (std::abs(n - m) > kMaxPadding || std::min(n, m) == 0) {
    return differ(concat(m, " tokens, and ", n, " in the model"));
  }
  for (Token id = 0; id < std::min(n, m); ++id) {
    if (target.raw_token(id) == draft.raw_token(id) && target.is_end(id) == draft.is_end(id)) continue;
    return differ(concat("token ", id, " is ", quoted(draft.raw_token(id)), ", and ", quoted(target.raw_token(id)),
                         " in the model",
                         (target.raw_token(id) == draft.raw_token(id) ? " (only one of them ends a text)" : "")));
  }
  Status status = check_special("BOS", target.bos(), draft.bos());
  return status ? check_special("EOS", target.eos(), draft.eos()) : status;
}

Result<std::unique_ptr<ModelDraft>> ModelDraft::create(const Session& target, const Model& draft) {
  if (!draft.info().causal || !draft.info().has_logits) {
    return Error{ErrorCode::kInvalidArgument, "the draft model is an encoder and generates no text"};
  }
  const Tokenizer &own = target.model().tokenizer(), &other = draft.tokenizer();
  if (Status status = check_same_vocabulary(own, other); !status) return status.error();
  SessionOptions options = target.options();
  options.n_logits = 0;
  options.adapters.clear();
  options.rope = {};
  options.reuse_prefixes = false;
  options.n_kept_prefixes = 0;
  options.hidden_only = false;
  options.mtp = false;
  Result<Session> session = SessionInternals::create(draft, options, SessionInternals::threads(target));
  if (!session) return session.error();
  return std::unique_ptr<ModelDraft>(
      new ModelDraft(std::move(*session), std::min(own.n_vocab(), other.n_vocab()), target.model().info().n_vocab));
}

ModelDraft::ModelDraft(Session session, int32_t n_vocab, int32_t n_logits)
    : session_(std::move(session)),
      n_vocab_(n_vocab),
      n_logits_(n_logits),
      held_(static_cast<size_t>(session_.options().n_seqs)) {}

/// A row as wide as those of the target: embeddings may be padded differently.
std::span<const float> ModelDraft::logits(size_t row) {
  const std::span<const float> own = session_.logits(row);
  if (own.size() == static_cast<size_t>(n_logits_)) return own;
  padded_.assign(static_cast<size_t>(n_logits_), -std::numeric_limits<float>::infinity());
  std::copy_n(own.begin(), std::min(own.size(), static_cast<size_t>(n_vocab_)), padded_.begin());
  return padded_;
}

/// Keeps what the sequence has in common with the text, and puts the rest of the text into the batch. Of a text that
/// the context cannot hold, the draft knows the end alone.
void ModelDraft::catch_up(const DraftRequest& request) {
  Held& held = held_[static_cast<size_t>(request.seq)];
  const auto n_ctx = static_cast<size_t>(session_.options().n_ctx);
  const auto fits = [&](size_t start) {
    return start < request.text.size() && request.text.size() - start + static_cast<size_t>(request.n) <= n_ctx;
  };
  if (!fits(held.start)) held.start = fits(0) ? 0 : request.text.size() - std::min(request.text.size(), n_ctx / 2);
  const std::span<const Token> text = request.text.subspan(held.start);
  const auto differs = std::mismatch(held.tokens.begin(), held.tokens.end(), text.begin(), text.end() - 1).first;
  auto common = static_cast<size_t>(differs - held.tokens.begin());
  KVCache& cache = session_.cache();
  if (common < held.tokens.size() && !cache.trim(request.seq, static_cast<int32_t>(common))) {
    (void)cache.remove(request.seq, 0);
    common = 0;
  }
  held.tokens.assign(text.begin(), text.end());
  for (size_t i = common; i < text.size(); ++i) {
    batch_.push_back({text[i], static_cast<int32_t>(i), request.seq, i + 1 == text.size()});
  }
}

/// Computes the batch; afterwards every sequence holds what held_ says. Where the sequences together fill the context
/// all of them begin anew, without a draft this time.
Status ModelDraft::decode() {
  Status status = session_.decode(batch_);
  batch_.clear();
  if (status) return {};
  session_.cache().clear();
  std::fill(held_.begin(), held_.end(), Held{});
  asked_.clear();
  return status.error().code == ErrorCode::kContextFull ? Status() : status;
}

Status ModelDraft::propose(std::span<DraftRequest> requests) {
  batch_.clear(), asked_.clear();
  for (size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].n <= 0) continue;
    catch_up(requests[i]);
    asked_.push_back(i);
  }
  while (!asked_.empty()) {
    if (Status status = decode(); !status) return status;
    size_t n_left = 0;
    for (size_t row = 0; row < asked_.size(); ++row) {
      DraftRequest& request = requests[asked_[row]];
      const Result<Token> token = request.generator->draft(logits(row));
      if (!token) return token.error();
      if (*token < 0 || *token >= n_vocab_) continue;
      request.tokens.push_back(*token);
      if (static_cast<int32_t>(request.tokens.size()) >= request.n) continue;
      Held& held = held_[static_cast<size_t>(request.seq)];
      batch_.push_back({*token, static_cast<int32_t>(held.tokens.size()), request.seq, true});
      held.tokens.push_back(*token);
      asked_[n_left++] = asked_[row];
    }
    asked_.resize(n_left);
  }
  return {};
}

}  // namespace hearth
