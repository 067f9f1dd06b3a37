// Drafts from a smaller model of the same vocabulary.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "hearth/session.h"
#include "hearth/speculation.h"

namespace hearth {

class ModelDraft : public DraftSource {
 public:
  /// The target's threads compute; errors as Speculator::draft_model.
  static Result<std::unique_ptr<ModelDraft>> create(const Session& target, const Model& draft);
  const char* name() const override { return "draft model"; }
  bool is_free() const override { return false; }
  Status propose(std::span<DraftRequest> requests) override;

 private:
  /// What lies in a sequence: tokens of the text from `start` on.
  struct Held {
    size_t start = 0;
    std::vector<Token> tokens;
  };
  ModelDraft(Session session, int32_t n_vocab, int32_t n_logits);
  std::span<const float> logits(size_t row);
  void catch_up(const DraftRequest& request);
  Status decode();

  Session session_;
  int32_t n_vocab_;   ///< tokens that both models have
  int32_t n_logits_;  ///< of the target
  std::vector<float> padded_;
  std::vector<Held> held_;
  std::vector<BatchToken> batch_;
  std::vector<size_t> asked_;  ///< requests that still grow, in the order of their rows
};

/// kInvalidArgument says where two vocabularies differ. Padding at the end of one of them does not count.
Status check_same_vocabulary(const Tokenizer& target, const Tokenizer& draft);

}  // namespace hearth
