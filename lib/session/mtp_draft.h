// Drafts from the model's own layer for multi-token prediction (lib/model/mtp.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "hearth/session.h"
#include "hearth/speculation.h"
#include "lib/model/forward.h"

namespace hearth {

class MtpDraft : public DraftSource {
 public:
  /// Errors as Speculator::mtp.
  static Result<std::unique_ptr<MtpDraft>> create(Session& target);
  const char* name() const override { return "prediction layer"; }
  bool is_free() const override { return false; }
  Status propose(std::span<DraftRequest> requests) override;

 private:
  /// A text that still grows.
  struct Chain {
    DraftRequest* request;
    size_t next;          ///< token of the text, or of the draft behind it, that is computed next
    int32_t pos;          ///< its position
    const float* hidden;  ///< what was predicted from last; nullptr: nothing yet
  };
  explicit MtpDraft(Session::Impl& target) : target_(&target) {}
  Status draft(std::span<DraftRequest> group);
  void feed(const ForwardContext& c, Chain& chain, size_t most);

  Session::Impl* target_;
  std::vector<Chain> chains_;
  std::vector<BatchToken> batch_;
  std::vector<const float*> hidden_;  ///< [batch_]
};

}  // namespace hearth
