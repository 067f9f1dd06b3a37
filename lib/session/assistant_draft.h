// Drafts from an assistant (lib/model/assistant.h), which reads the cache of the session that it drafts for.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "hearth/session.h"
#include "hearth/speculation.h"
#include "lib/base/buffer.h"
#include "lib/model/forward.h"

namespace hearth {

class AssistantDraft : public DraftSource {
 public:
  /// The target's threads compute; it must outlive the source, and may be moved. Errors as Speculator::draft_model.
  static Result<std::unique_ptr<AssistantDraft>> create(const Session& target, const Model& assistant);
  const char* name() const override { return "assistant"; }
  bool is_free() const override { return false; }
  Status propose(std::span<DraftRequest> requests) override;
  /// Of the token that was predicted last for the first text, for tests. [n_vocab]
  std::span<const float> logits() const { return {scratch_.logits, static_cast<size_t>(hp_.n_vocab)}; }

 private:
  static constexpr int kTexts = 8;  ///< that are continued at once
  AssistantDraft(Session::Impl& target, const Model& assistant, HParams hp)
      : target_(&target), assistant_(assistant), hp_(std::move(hp)) {}
  Status allocate();
  ForwardContext context(const ForwardContext& target);
  Status draft(std::span<DraftRequest*> group);

  Session::Impl* target_;
  Model assistant_;
  HParams hp_;  ///< joined to the target's
  AlignedBuffer memory_;
  Scratch scratch_;
  MatmulScratch matmul_scratch_;
  float* pairs_ = nullptr;  ///< [kTexts, 2 d_target]
  float* next_ = nullptr;   ///< [kTexts, d_target]
  std::vector<DraftRequest*> group_;
};

}  // namespace hearth
