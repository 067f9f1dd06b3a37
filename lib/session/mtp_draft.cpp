// Each text goes on token by token in positions of the cache that are taken back in the end.
#include "lib/session/mtp_draft.h"

#include <algorithm>

#include "lib/model/mtp.h"
#include "lib/session/session_impl.h"

namespace hearth {
namespace {

/// What begin() found is there again in the end, whatever happens.
class TakenBack {
 public:
  explicit TakenBack(KVCache::Impl& cache) : cache_(cache) { cache_.begin(); }
  ~TakenBack() { cache_.undo(); }
  TakenBack(const TakenBack&) = delete;
  TakenBack& operator=(const TakenBack&) = delete;

 private:
  KVCache::Impl& cache_;
};

}  // namespace

Result<std::unique_ptr<MtpDraft>> MtpDraft::create(Session& target) {
  if (!target.options().mtp) {
    return Error{ErrorCode::kInvalidArgument, "the session was made without SessionOptions::mtp"};
  }
  if (target.options().hidden_only) return Error{ErrorCode::kInvalidArgument, "the session makes no logits"};
  return std::unique_ptr<MtpDraft>(new MtpDraft(SessionInternals::of(target)));
}

/// Puts the next token of a text into the batch; of tokens that the session has yet to compute, all that stand behind
/// hidden states of the model, but not more than `most`.
void MtpDraft::feed(const ForwardContext& c, Chain& chain, size_t most) {
  const DraftRequest& request = *chain.request;
  const size_t n_text = request.text.size();
  const auto id_at = [&](size_t i) { return i < n_text ? request.text[i] : request.tokens[i - n_text]; };
  const auto held = [&]() -> const float* {
    if (chain.next == 0 || chain.next >= n_text) return nullptr;
    return mtp_hidden(c, request.seq, chain.pos - 1, id_at(chain.next - 1));
  };
  const float* hidden = held();
  if (hidden == nullptr) hidden = chain.hidden;
  for (size_t n = 1; true; ++n) {
    batch_.push_back({id_at(chain.next), chain.pos, request.seq, false});
    hidden_.push_back(hidden);
    ++chain.next, ++chain.pos;
    hidden = held();
    if (n >= most || hidden == nullptr) break;
  }
  batch_.back().logits = true;
}

Status MtpDraft::draft(std::span<DraftRequest> group) {
  const ForwardContext c = target_->context();
  const MtpScratch& s = c.scratch->mtp;
  const auto d = static_cast<size_t>(c.hp->d_model), n_vocab = static_cast<size_t>(c.hp->n_vocab);
  const TakenBack positions(*c.cache);
  chains_.clear();
  for (DraftRequest& request : group) {
    if (request.n <= 0 || request.n_pending <= 0 || request.text.size() < static_cast<size_t>(request.n_pending)) {
      continue;
    }
    chains_.push_back({&request, request.text.size() - static_cast<size_t>(request.n_pending),
                       c.cache->length(request.seq), nullptr});
  }
  while (!chains_.empty()) {
    batch_.clear(), hidden_.clear();
    const size_t most = static_cast<size_t>(target_->options.n_batch) / chains_.size();
    for (Chain& chain : chains_) feed(c, chain, most);
    if (!c.cache->hold(batch_)) return {};  // no page is free: what there is will do
    mtp_predict(c, batch_, hidden_);
    size_t n_left = 0;
    for (size_t row = 0; row < chains_.size(); ++row) {
      Chain chain = chains_[row];
      DraftRequest& request = *chain.request;
      chain.hidden = s.hidden + row * d;
      if (chain.next >= request.text.size()) {
        const Result<Token> token = request.generator->draft({s.logits + row * n_vocab, n_vocab});
        if (!token) return token.error();
        if (*token < 0) continue;  // the text ends here
        request.tokens.push_back(*token);
        if (static_cast<int32_t>(request.tokens.size()) >= request.n) continue;
      }
      chains_[n_left++] = chain;
    }
    chains_.resize(n_left);
  }
  return target_->matmul_scratch.take_status();
}

Status MtpDraft::propose(std::span<DraftRequest> requests) {
  const auto most = static_cast<size_t>(std::min(MtpScratch::kTexts, target_->options.n_batch));
  for (size_t at = 0; at < requests.size(); at += most) {
    if (Status status = draft(requests.subspan(at, std::min(most, requests.size() - at))); !status) return status;
  }
  return {};
}

}  // namespace hearth
