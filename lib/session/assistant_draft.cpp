// Every token of a draft is predicted at one position, from the last token and the hidden state before it.
#include "lib/session/assistant_draft.h"

#include <algorithm>
#include <array>

#include "lib/model/assistant.h"
#include "lib/session/model_draft.h"
#include "lib/session/session_impl.h"

namespace hearth {

Result<std::unique_ptr<AssistantDraft>> AssistantDraft::create(const Session& target, const Model& assistant) {
  if (target.options().hidden_only) return Error{ErrorCode::kInvalidArgument, "the session makes no logits"};
  if (Status same = check_same_vocabulary(target.model().tokenizer(), assistant.tokenizer()); !same) {
    return same.error();
  }
  Result<HParams> hp = join_assistant(ModelInternals::of(assistant).hp, ModelInternals::of(target.model()).hp);
  if (!hp) return hp.error();
  std::unique_ptr<AssistantDraft> made(new AssistantDraft(SessionInternals::of(target), assistant, std::move(*hp)));
  if (Status status = made->allocate(); !status) return status.error();
  return made;
}

Status AssistantDraft::allocate() {
  const SessionOptions& o = target_->options;
  const Architecture& arch = *ModelInternals::of(assistant_).arch;
  const ScratchSizes sizes{kTexts, kTexts, o.n_seqs, o.n_ctx, o.n_threads};
  const auto lay_out = [&](Layout& layout) {
    scratch_ = Scratch::lay_out(layout, arch, hp_, sizes);
    pairs_ = layout.take<float>(int64_t{kTexts} * 2 * hp_.d_target);
    next_ = layout.take<float>(int64_t{kTexts} * hp_.d_target);
  };
  Layout counting(nullptr);
  lay_out(counting);
  Result<AlignedBuffer> memory = AlignedBuffer::allocate(counting.used(), "the assistant's scratch memory");
  if (!memory) return memory.error();
  memory_ = std::move(*memory);
  Layout layout(memory_.data());
  lay_out(layout);
  matmul_scratch_.bind(scratch_.matmul, matmul_rows(hp_, sizes), hp_.widest_input, sizes.n_threads);
  return {};
}

/// The assistant's weights over the target's cache, whose keys were turned by the target's rotary embeddings.
ForwardContext AssistantDraft::context(const ForwardContext& target) {
  const Model::Impl& m = ModelInternals::of(assistant_);
  ForwardContext c = target;
  c.arch = m.arch;
  c.hp = &hp_;
  c.weights = &m.weights;
  c.scratch = &scratch_;
  c.matmul.scratch = &matmul_scratch_;
  c.observe_linear = nullptr;
  c.observe_attention = nullptr;
  c.adapters = nullptr;
  return c;
}

Status AssistantDraft::draft(std::span<DraftRequest*> group) {
  const ForwardContext target = target_->context(), c = context(target);
  std::array<BatchToken, kTexts> batch;
  std::array<const float*, kTexts> hidden;
  size_t n = group.size();
  for (size_t i = 0; i < n; ++i) {
    const DraftRequest& request = *group[i];
    batch[i] = {request.text.back(), c.cache->length(request.seq), request.seq, true};
    hidden[i] = request.hidden.data();
  }
  while (n > 0) {
    assistant_predict(c, target, {batch.data(), n}, {hidden.data(), n}, pairs_, next_);
    size_t n_left = 0;
    for (size_t row = 0; row < n; ++row) {
      DraftRequest& request = *group[row];
      const auto n_vocab = static_cast<size_t>(hp_.n_vocab);
      const Result<Token> token = request.generator->draft({scratch_.logits + row * n_vocab, n_vocab});
      if (!token) return token.error();
      if (*token < 0) continue;
      request.tokens.push_back(*token);
      if (static_cast<int32_t>(request.tokens.size()) >= request.n) continue;
      group[n_left] = &request;
      batch[n_left] = {*token, batch[row].pos, request.seq, true};
      hidden[n_left++] = next_ + row * static_cast<size_t>(hp_.d_target);
    }
    n = n_left;
  }
  return matmul_scratch_.take_status();
}

/// Texts that the target has computed but for their last token, which it chose from a hidden state that is still there.
Status AssistantDraft::propose(std::span<DraftRequest> requests) {
  group_.clear();
  for (DraftRequest& request : requests) {
    const bool known = request.hidden.size() == static_cast<size_t>(hp_.d_target);
    if (request.n > 0 && request.n_pending == 1 && known && !request.text.empty()) group_.push_back(&request);
  }
  for (size_t at = 0; at < group_.size(); at += kTexts) {
    if (Status status = draft(std::span(group_).subspan(at, std::min<size_t>(kTexts, group_.size() - at))); !status) {
      return status;
    }
  }
  return {};
}

}  // namespace hearth
