// From flags to a Speculator, and what came of it.
#include "draft_settings.h"

#include <algorithm>
#include <cstdio>

#include "model_options.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Speculator;
using hearth::Status;

void DraftSettings::declare(Options& options) {
  options.add("--draft,--draft-model,--md", model,
              "Smaller model of the same vocabulary (GGUF) that guesses the next tokens");
  options.add("--lookup", lookup, "Guess the next tokens by what followed in the text where it was like this before");
  options.add("--mtp", mtp, "Guess the next tokens with the model's own layer for that (multi-token prediction)");
  options.add("--draft-max", max_draft, "Tokens guessed at once at most; fewer where guesses are often wrong");
}

Status DraftSettings::prepare(hearth::SessionOptions& session) const {
  if (!wanted()) return {};
  if (int{lookup} + int{mtp} + int{!model.empty()} > 1) {
    return Error{ErrorCode::kInvalidArgument, "give one of --draft, --lookup and --mtp"};
  }
  session.mtp = mtp;
  constexpr int32_t kMost = hearth::KVCache::kRollbackTokens - 1;
  if (max_draft < 1 || max_draft > kMost) {
    return Error{ErrorCode::kInvalidArgument, "--draft-max must be between 1 and " + std::to_string(kMost)};
  }
  session.n_logits = max_draft + 1;
  if (session.n_ctx > 0) session.n_logits = std::min(session.n_logits, session.n_ctx);
  return {};
}

Result<std::unique_ptr<Speculator>> DraftSettings::create(hearth::Session& session) const {
  if (!wanted()) return std::unique_ptr<Speculator>();
  const auto make = [&]() -> Result<Speculator> {
    if (lookup) return Speculator::lookup({}, {.max_draft = max_draft});
    if (mtp) return Speculator::mtp(session, {.max_draft = max_draft});
    const auto opened = load_model(model);
    if (!opened) return opened.error();
    return Speculator::draft_model(session, *opened, {.max_draft = max_draft});
  };
  auto made = make();
  const std::string flag = lookup ? "--lookup" : mtp ? "--mtp" : "--draft " + model;
  if (!made) return Error{made.error().code, flag + ": " + made.error().message};
  return std::make_unique<Speculator>(std::move(*made));
}

std::string describe_drafts(const Speculator& speculator) {
  const hearth::SpeculationStats s = speculator.stats();
  char text[200];
  std::snprintf(text, sizeof text, "%s: %lld of %lld drafted tokens were right", speculator.source_name(),
                static_cast<long long>(s.accepted), static_cast<long long>(s.drafted));
  std::string line = text;
  if (s.speed_up > 0) std::snprintf(text, sizeof text, ", %.2f x as fast as without", s.speed_up);
  if (s.speed_up > 0) line += text;
  return s.note.empty() ? line : line + "; " + s.note;
}

Json draft_json(const Speculator& speculator) {
  const hearth::SpeculationStats s = speculator.stats();
  return {{"source", speculator.source_name()},
          {"drafted_tokens", s.drafted},
          {"accepted_tokens", s.accepted},
          {"steps", s.steps},
          {"steps_with_draft", s.drafted_steps},
          {"draft_seconds", s.draft_seconds},
          {"speed_up", s.speed_up},
          {"off", s.off},
          {"note", s.note}};
}

}  // namespace hearth_tool
