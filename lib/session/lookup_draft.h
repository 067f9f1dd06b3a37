// Drafts from the text itself.
#pragma once

#include <span>

#include "hearth/speculation.h"

namespace hearth {

class LookupDraft : public DraftSource {
 public:
  explicit LookupDraft(const LookupOptions& options) : options_(options) {}
  const char* name() const override { return "lookup"; }
  bool is_free() const override { return true; }
  Status propose(std::span<DraftRequest> requests) override;

 private:
  LookupOptions options_;
};

}  // namespace hearth
