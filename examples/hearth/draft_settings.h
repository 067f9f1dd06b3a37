// --draft, --lookup and --mtp: what guesses ahead for a model.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "hearth/session.h"
#include "hearth/speculation.h"
#include "json_output.h"
#include "options.h"

namespace hearth_tool {

struct DraftSettings {
  std::string model;
  bool lookup = false;
  bool mtp = false;
  int32_t max_draft = 16;

  void declare(Options& options);
  bool wanted() const { return lookup || mtp || !model.empty(); }
  /// Makes room for the logits of drafts. Any error is one of usage.
  hearth::Status prepare(hearth::SessionOptions& session) const;
  /// Opens the draft model, if one is named, for a session that must outlive the result; null: nothing is wanted.
  hearth::Result<std::unique_ptr<hearth::Speculator>> create(hearth::Session& session) const;
};

/// "lookup: 120 of 150 drafted tokens were right, 1.8 x as fast"
std::string describe_drafts(const hearth::Speculator& speculator);
Json draft_json(const hearth::Speculator& speculator);

}  // namespace hearth_tool
