// Speculator: drafts into the batch, rows of logits back to the generators, and the accounts of both.
#include "hearth/speculation.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/model/model_impl.h"
#include "lib/session/assistant_draft.h"
#include "lib/session/draft_pace.h"
#include "lib/session/lookup_draft.h"
#include "lib/session/model_draft.h"
#include "lib/session/mtp_draft.h"

namespace hearth {
namespace {

/// Steps with drafts that are judged together, and steps without after they lost time.
constexpr int32_t kJudged = 24, kFirstRest = 64, kLongestRest = 4096;
/// Trials of a source that costs time which may end in vain before a text goes without it.
constexpr int32_t kVainTrials = 4;

Error out_of_range(const char* option, int32_t value, int32_t lo, int32_t hi) {
  return {ErrorCode::kInvalidArgument, concat(option, ": ", value, " is not in ", lo, "..", hi)};
}

}  // namespace

struct Speculator::Impl {
  /// What is known of the text in a sequence.
  struct Text {
    std::vector<Token> ids;    ///< prompt and what was written, as far as sync() has seen it
    size_t n_prompt = 0;       ///< of these
    std::vector<Token> draft;  ///< in the last batch
    int32_t confidence = 0;
    size_t n_written = 0;   ///< by the generator, when the batch was planned
    int32_t length = -1;    ///< of the sequence then; -1: no batch is planned
    int32_t row = -1;       ///< of logits, that the last token was chosen from
    size_t n_proposed = 0;  ///< length of the text when it was last given to the source
  };

  Impl(std::unique_ptr<DraftSource> from, const SpeculationOptions& wanted)
      : source(std::move(from)), options(wanted) {}

  Text& at(SeqId seq);
  void sync(const SpeculativeText& text);
  bool rests();
  DraftRequest make_request(const Session& session, const SpeculativeText& text, int32_t most);
  int32_t most_tokens(const Session& session, const SpeculativeText& text, int32_t rows) const;
  Status propose(const Session& session, std::span<SpeculativeText> texts, int32_t n_rows);
  Status cut(DraftRequest& request, int32_t n_batch, double expected);
  void append(const Session& session, SpeculativeText& text, std::vector<BatchToken>& batch);
  Status plan(const Session& session, std::span<SpeculativeText> texts, std::vector<BatchToken>& batch, bool draft);
  void stop_clock();
  Status take(Session& session, SpeculativeText& text, const TokenCallback& on_token, int32_t& n_right);
  Status accept(Session& session, SpeculativeText& text, const TokenCallback& on_token);
  Status go_back(Session& session, const SpeculativeText& text, int32_t n_wrong);
  void judge();
  std::string note() const;

  std::unique_ptr<DraftSource> source;
  SpeculationOptions options;
  DraftPace pace;
  SpeculationStats stats;
  std::vector<Text> texts;
  std::vector<DraftRequest> requests;

  // The step being made.
  Clock::time_point start{};
  bool fresh = false;      ///< it is not counted yet
  bool timed = false;      ///< its time is wanted
  bool caught_up = false;  ///< the source had more than the last few tokens to read
  int32_t n_tokens = 0, n_texts = 0, n_drafts = 0;
  double drafting = 0;

  // Whether drafts pay.
  double plain_seconds = 0;  ///< that all tokens so far would have taken without
  double judged_seconds = 0, judged_plain = 0;
  int32_t n_judged = 0, rest = 0, next_rest = kFirstRest;
  int32_t most_vain = kVainTrials;  ///< trials in vain that this text still bears
};

Speculator::Impl::Text& Speculator::Impl::at(SeqId seq) {
  const auto i = static_cast<size_t>(std::max(seq, 0));
  if (i >= texts.size()) texts.resize(i + 1);
  return texts[i];
}

/// Appends what the generator has written since.
void Speculator::Impl::sync(const SpeculativeText& text) {
  Text& known = at(text.seq);
  const std::vector<Token>& written = text.generator->ids();
  const size_t n = known.ids.size() - known.n_prompt;
  if (n < written.size()) known.ids.insert(known.ids.end(), written.begin() + static_cast<ptrdiff_t>(n), written.end());
}

/// Whether this step does without drafts, because they lost time.
bool Speculator::Impl::rests() {
  if (!options.adaptive) return false;
  if (!source->is_free() && pace.n_vain() >= most_vain) return true;
  return rest > 0 && rest-- > 0;
}

// --- drafts ------------------------------------------------------------------------------------------------------

/// Tokens that a draft may have: `rows` of logits are left for it.
int32_t Speculator::Impl::most_tokens(const Session& session, const SpeculativeText& text, int32_t rows) const {
  const int32_t n = std::min({options.max_draft, text.max_draft, rows});
  const auto n_known = static_cast<int32_t>(text.generator->prompt().size() + text.generator->ids().size());
  const int32_t room = session.options().n_ctx - (n_known - text.forgotten);
  const int32_t length = session.cache().length(text.seq);
  const int32_t most = std::max(std::min(n, room), 0);
  return session.cache().room(text.seq, n_known - text.forgotten - length + most) ? most : 0;
}

DraftRequest Speculator::Impl::make_request(const Session& session, const SpeculativeText& text, int32_t most) {
  Text& known = at(text.seq);
  DraftRequest request{
      .seq = text.seq, .text = known.ids, .n = most, .generator = text.generator, .confidence = DraftPace::kGuess};
  request.n_pending = static_cast<int32_t>(known.ids.size()) - text.forgotten - session.cache().length(text.seq);
  if (known.row >= 0) request.hidden = session.hidden(static_cast<size_t>(known.row));
  const size_t n_new = known.ids.size() - std::min(known.n_proposed, known.ids.size());
  if (most > 0) {
    caught_up |= known.n_proposed == 0 || n_new > static_cast<size_t>(options.max_draft) + 8;
    known.n_proposed = known.ids.size();
  }
  return request;
}

/// What is worth computing of a draft.
Status Speculator::Impl::cut(DraftRequest& request, int32_t n_batch, double expected) {
  const Result<int32_t> n = request.generator->draftable(request.tokens);
  if (!n) return n.error();
  int32_t keep = std::min(*n, request.n);
  if (options.adaptive && source->is_free()) keep = pace.length(request.confidence, keep, n_batch, expected);
  request.tokens.resize(static_cast<size_t>(keep));
  request.confidence = std::clamp(request.confidence, 0, DraftPace::kClasses - 1);
  return {};
}

/// Fills the drafts of all texts.
Status Speculator::Impl::propose(const Session& session, std::span<SpeculativeText> list, int32_t n_rows) {
  const auto begun = Clock::now();
  const bool guided = options.adaptive && !source->is_free();
  requests.clear();
  int32_t rows = session.options().n_logits - n_rows - n_texts, n_left = n_texts, n_batch = n_texts, longest = 0;
  double expected = n_texts;
  for (const SpeculativeText& text : list) {
    if (text.generator->finished()) continue;
    int32_t n = most_tokens(session, text, std::max(rows, 0) / n_left--);
    if (guided) n = pace.length(DraftPace::kGuess, n, n_batch, expected);
    rows -= n, n_batch += guided ? n : 0, longest = std::max(longest, n);
    requests.push_back(make_request(session, text, n));
  }
  if (longest == 0) return {};
  if (Status status = source->propose(requests); !status) return status;
  drafting = seconds_since(begun);
  if (guided && !caught_up) pace.drafted(longest, drafting);
  n_batch = n_texts;
  for (DraftRequest& request : requests) {
    if (Status status = cut(request, n_batch, expected); !status) return status;
    n_batch += static_cast<int32_t>(request.tokens.size());
    expected += static_cast<double>(request.tokens.size()) * pace.share(request.confidence);
    Text& known = at(request.seq);
    known.draft = std::move(request.tokens);
    known.confidence = request.confidence;
  }
  return {};
}

/// A text's tokens that are not in the cache, and its draft.
void Speculator::Impl::append(const Session& session, SpeculativeText& text, std::vector<BatchToken>& batch) {
  Text& known = at(text.seq);
  known.n_written = text.generator->ids().size();
  known.length = session.cache().length(text.seq);
  const auto first = static_cast<size_t>(known.length + text.forgotten);
  auto pos = known.length;
  for (size_t i = std::min(first, known.ids.size() - 1); i < known.ids.size(); ++i) {
    batch.push_back({known.ids[i], pos++, text.seq, i + 1 == known.ids.size()});
  }
  for (const Token id : known.draft) batch.push_back({id, pos++, text.seq, true});
}

Status Speculator::Impl::plan(const Session& session, std::span<SpeculativeText> list, std::vector<BatchToken>& batch,
                              bool draft) {
  auto n_rows = static_cast<int32_t>(std::count_if(batch.begin(), batch.end(), [](const auto& t) { return t.logits; }));
  n_texts = n_drafts = 0;
  drafting = 0;
  caught_up = false;
  for (const SpeculativeText& text : list) {
    if (text.generator->finished()) continue;
    ++n_texts;
    sync(text);
    at(text.seq).draft.clear();
  }
  timed = draft && batch.empty() && n_texts > 0;
  if (draft && n_texts > 0 && !rests()) {
    if (Status status = propose(session, list, n_rows); !status) return status;
  }
  start = Clock::now();
  for (SpeculativeText& text : list) {
    if (text.generator->finished()) continue;
    text.first_row = n_rows;
    append(session, text, batch);
    const auto n = static_cast<int32_t>(at(text.seq).draft.size());
    n_rows += 1 + n;
    n_drafts += n > 0;
  }
  n_tokens = static_cast<int32_t>(batch.size());
  fresh = n_texts > 0;
  return {};
}

// --- what was right ----------------------------------------------------------------------------------------------

/// Notes how long the batch took.
void Speculator::Impl::stop_clock() {
  if (std::exchange(fresh, false)) ++stats.steps, stats.drafted_steps += n_drafts > 0;
  if (!std::exchange(timed, false)) return;
  const double seconds = seconds_since(start);
  pace.decoded(n_tokens, seconds);
  stats.seconds += seconds + drafting;
  stats.draft_seconds += drafting;
  if (n_drafts > 0 && !caught_up) judged_seconds += seconds + drafting, ++n_judged;
}

/// After some steps with drafts: did they lose time?
void Speculator::Impl::judge() {
  if (n_judged < kJudged) return;
  const bool lost = judged_seconds > judged_plain;
  rest = lost && options.adaptive ? next_rest : 0;
  next_rest = lost ? std::min(2 * next_rest, kLongestRest) : kFirstRest;
  judged_seconds = judged_plain = 0;
  n_judged = 0;
}

/// Hands rows to the generator while the draft is right.
Status Speculator::Impl::take(Session& session, SpeculativeText& text, const TokenCallback& on_token,
                              int32_t& n_right) {
  Generator& generator = *text.generator;
  const Text& known = at(text.seq);
  const auto tell = [&](const GeneratedToken& token) {
    if (!on_token(token)) generator.finish(StopReason::kCallback);
  };
  for (n_right = 0;;) {
    at(text.seq).row = text.first_row + n_right;
    const Result<GeneratedToken> token = generator.accept(session.logits(static_cast<size_t>(known.row)));
    if (!token) return token.error();
    tell(*token);
    while (!generator.finished()) {
      const Result<std::optional<GeneratedToken>> forced = generator.accept_forced();
      if (!forced) return forced.error();
      if (!*forced) break;
      tell(**forced);
    }
    const std::span<const Token> taken = std::span(generator.ids()).subspan(known.n_written);
    const auto differs = std::mismatch(taken.begin(), taken.end(), known.draft.begin(), known.draft.end()).first;
    n_right = static_cast<int32_t>(differs - taken.begin());
    if (generator.finished() || n_right < static_cast<int32_t>(taken.size())) return {};
  }
}

/// Takes wrong tokens out of the cache. Recurrent layers can only go back to before the batch.
Status Speculator::Impl::go_back(Session& session, const SpeculativeText& text, int32_t n_wrong) {
  if (n_wrong == 0) return {};
  Status status = session.cache().rollback(text.seq, n_wrong);
  if (status || status.error().code != ErrorCode::kUnsupported) return status;
  return session.cache().trim(text.seq, at(text.seq).length);
}

Status Speculator::Impl::accept(Session& session, SpeculativeText& text, const TokenCallback& on_token) {
  Text& known = at(text.seq);
  const bool planned = known.length >= 0;
  if (planned) stop_clock();
  if (!planned) known.draft.clear(), known.n_written = text.generator->ids().size();
  const int32_t n_step = std::max(n_texts, 1);
  int32_t n_right = 0;
  Status status = take(session, text, on_token, n_right);
  const auto n_draft = static_cast<int32_t>(known.draft.size());
  if (Status back = go_back(session, text, n_draft - n_right); status) status = std::move(back);
  if (planned) {
    const auto n_new = static_cast<double>(text.generator->ids().size() - known.n_written);
    const double plain = n_new * pace.seconds(n_step) / n_step;
    stats.tokens += static_cast<int64_t>(n_new);
    stats.drafted += n_draft;
    stats.accepted += n_right;
    text.drafted += n_draft;
    text.accepted += n_right;
    plain_seconds += plain;
    if (n_drafts > 0 && !caught_up) judged_plain += plain;
    const bool all_seen = !text.generator->finished() || n_right == n_draft;
    if (n_draft > 0 && all_seen) pace.verified(known.confidence, n_draft, n_right);
    judge();
  }
  known.draft.clear();
  known.length = -1;
  return status;
}

std::string Speculator::Impl::note() const {
  char text[200] = "";
  if (!source->is_free() && options.adaptive && (pace.n_vain() >= most_vain || rest > 0)) {
    std::snprintf(
        text, sizeof text,
        "drafting is off, it would lose time: a token of a draft takes %.2f ms, a step without %.2f ms, and "
        "%.0f%% of drafted tokens are right",
        1e3 * pace.draft_seconds(), 1e3 * pace.seconds(1),
        stats.drafted > 0 ? 100.0 * static_cast<double>(stats.accepted) / static_cast<double>(stats.drafted) : 0.0);
  } else if (rest > 0) {
    std::snprintf(text, sizeof text, "drafting rests, as it lost time");
  } else if (stats.steps > 0 && stats.drafted == 0) {
    std::snprintf(text, sizeof text, "nothing was worth drafting");
  }
  return text;
}

// --- the public face ---------------------------------------------------------------------------------------------

Speculator::Speculator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Speculator::Speculator(Speculator&&) noexcept = default;
Speculator& Speculator::operator=(Speculator&&) noexcept = default;
Speculator::~Speculator() = default;

Result<Speculator> Speculator::create(std::unique_ptr<DraftSource> source, const SpeculationOptions& options) {
  return guard([&]() -> Result<Speculator> {
    constexpr int32_t kMost = KVCache::kRollbackTokens - 1;
    if (options.max_draft < 1 || options.max_draft > kMost) {
      return out_of_range("max_draft", options.max_draft, 1, kMost);
    }
    if (!source) return Error{ErrorCode::kInvalidArgument, "a speculator needs a source of drafts"};
    return Speculator(std::make_unique<Impl>(std::move(source), options));
  });
}

Result<Speculator> Speculator::lookup(const LookupOptions& lookup, const SpeculationOptions& options) {
  return guard([&]() -> Result<Speculator> {
    constexpr int32_t kMost = 1024;
    if (lookup.min_match < 1 || lookup.min_match > kMost) {
      return out_of_range("min_match", lookup.min_match, 1, kMost);
    }
    if (lookup.max_match < lookup.min_match || lookup.max_match > kMost) {
      return out_of_range("max_match", lookup.max_match, lookup.min_match, kMost);
    }
    return create(std::make_unique<LookupDraft>(lookup), options);
  });
}

Result<Speculator> Speculator::draft_model(const Session& target, const Model& draft,
                                           const SpeculationOptions& options) {
  return guard([&]() -> Result<Speculator> {
    if (ModelInternals::of(draft).arch->assistant) {
      Result<std::unique_ptr<AssistantDraft>> source = AssistantDraft::create(target, draft);
      if (!source) return source.error();
      return create(std::move(*source), options);
    }
    Result<std::unique_ptr<ModelDraft>> source = ModelDraft::create(target, draft);
    if (!source) return source.error();
    return create(std::move(*source), options);
  });
}

Result<Speculator> Speculator::mtp(Session& target, const SpeculationOptions& options) {
  return guard([&]() -> Result<Speculator> {
    Result<std::unique_ptr<MtpDraft>> source = MtpDraft::create(target);
    if (!source) return source.error();
    return create(std::move(*source), options);
  });
}

Status Speculator::begin(const SpeculativeText& text) {
  return guard([&]() -> Status {
    if (text.seq < 0 || text.generator == nullptr) {
      return Error{ErrorCode::kInvalidArgument, "a speculative text needs a sequence and a generator"};
    }
    Impl::Text& known = impl_->at(text.seq);
    known = {};
    known.ids = text.generator->prompt();
    known.n_prompt = known.ids.size();
    impl_->most_vain = std::max(kVainTrials, impl_->pace.n_vain() + 1);  // one more trial for each text
    return {};
  });
}

Status Speculator::plan(const Session& session, std::span<SpeculativeText> texts, std::vector<BatchToken>& batch,
                        bool draft) {
  return guard([&] { return impl_->plan(session, texts, batch, draft); });
}

Status Speculator::accept(Session& session, SpeculativeText& text, const TokenCallback& on_token) {
  return guard([&] { return impl_->accept(session, text, on_token); });
}

const SpeculationOptions& Speculator::options() const {
  return impl_->options;
}

const char* Speculator::source_name() const {
  return impl_->source->name();
}

SpeculationStats Speculator::stats() const {
  SpeculationStats stats = impl_->stats;
  stats.speed_up = stats.seconds > 0 ? impl_->plain_seconds / stats.seconds : 0;
  stats.note = guard_or(std::string(), [&] { return impl_->note(); });
  stats.off = !stats.note.empty() && (impl_->rest > 0 || !impl_->source->is_free());
  return stats;
}

}  // namespace hearth
