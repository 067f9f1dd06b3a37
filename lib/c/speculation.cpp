// Twin of hearth/speculation.h.
#include <deque>

#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

/// A source of drafts behind C functions.
class HostDraftSource : public DraftSource {
 public:
  explicit HostDraftSource(const HearthDraftSource& source) : source_(source), name_(view(source.name)) {}
  ~HostDraftSource() override {
    if (is_taken_ && source_.destroy != nullptr) source_.destroy(source_.user);
  }
  const char* name() const override { return name_.c_str(); }
  bool is_free() const override { return source_.is_free; }

  Status propose(std::span<DraftRequest> requests) override {
    std::vector<HearthDraftRequest> asked(requests.size());
    std::vector<HearthDraftRequest*> list;
    std::vector<std::vector<Token>> room(requests.size());
    std::deque<HearthGenerator> lent;
    for (size_t i = 0; i < requests.size(); ++i) {
      const DraftRequest& from = requests[i];
      HearthDraftRequest& to = asked[i];
      room[i].resize(static_cast<size_t>(from.n > 0 ? from.n : 0));
      to.size = sizeof to;
      to.seq = from.seq;
      to.text = from.text.data();
      to.n_text = from.text.size();
      to.n = from.n;
      if (from.generator != nullptr) to.generator = &lent.emplace_back(from.generator);
      to.hidden = from.hidden.data();
      to.n_hidden = from.hidden.size();
      to.tokens = room[i].data();
      to.confidence = from.confidence;
      to.n_pending = from.n_pending;
      list.push_back(&to);
    }
    const HearthCode code = source_.propose(source_.user, list.data(), list.size());
    if (code < 0 || code > HEARTH_LIMIT) {
      return Error{ErrorCode::kInvalidArgument, "a source of drafts gave an unknown code"};
    }
    if (code != HEARTH_OK) return Error{static_cast<ErrorCode>(code - 1), "the host's source of drafts failed"};
    for (size_t i = 0; i < requests.size(); ++i) {
      const size_t n = asked[i].n_tokens < room[i].size() ? asked[i].n_tokens : room[i].size();
      requests[i].tokens.assign(room[i].begin(), room[i].begin() + static_cast<std::ptrdiff_t>(n));
      requests[i].confidence = asked[i].confidence;
    }
    return {};
  }
  /// From here on destroy() is called.
  void take() { is_taken_ = true; }

 private:
  HearthDraftSource source_;
  std::string name_;
  bool is_taken_ = false;
};

Result<SpeculativeText> speculative_text(const HearthSpeculativeText* text) {
  const auto full = complete(text, hearth_speculative_text_init);
  if (!full) return full.error();
  if (auto s = needs({{full->generator, "generator"}}); !s) return s.error();
  return SpeculativeText{.seq = full->seq,
                         .generator = full->generator->it,
                         .forgotten = full->forgotten,
                         .max_draft = full->max_draft,
                         .first_row = full->first_row,
                         .drafted = full->drafted,
                         .accepted = full->accepted};
}
/// What calls may have changed.
void put_back(const SpeculativeText& from, HearthSpeculativeText* to) {
  HearthSpeculativeText full{};
  std::memcpy(&full, to, to->size);
  full.forgotten = from.forgotten;
  full.max_draft = from.max_draft;
  full.first_row = from.first_row;
  full.drafted = from.drafted;
  full.accepted = from.accepted;
  fill(to, full);
}

}  // namespace

Result<SpeculationOptions> to_cpp(const HearthSpeculationOptions* options) {
  const auto full = complete(options, hearth_speculation_options_init);
  if (!full) return full.error();
  return SpeculationOptions{.max_draft = full->max_draft, .adaptive = full->adaptive};
}
Result<LookupOptions> to_cpp(const HearthLookupOptions* options) {
  const auto full = complete(options, hearth_lookup_options_init);
  if (!full) return full.error();
  return LookupOptions{.min_match = full->min_match, .max_match = full->max_match};
}
HearthSpeculationStats to_c(const SpeculationStats& s, const char* note) {
  return {sizeof(HearthSpeculationStats),
          s.drafted,
          s.accepted,
          s.steps,
          s.drafted_steps,
          s.tokens,
          s.seconds,
          s.draft_seconds,
          s.speed_up,
          s.off,
          note};
}

}  // namespace hearth::c

extern "C" {

void hearth_lookup_options_init(HearthLookupOptions* options) {
  const hearth::LookupOptions defaults;
  fill(options, {0, defaults.min_match, defaults.max_match});
}
void hearth_speculation_options_init(HearthSpeculationOptions* options) {
  const hearth::SpeculationOptions defaults;
  fill(options, {0, defaults.max_draft, defaults.adaptive});
}
void hearth_speculative_text_init(HearthSpeculativeText* text) {
  const hearth::SpeculativeText defaults;
  fill(text, {0, defaults.seq, nullptr, defaults.forgotten, defaults.max_draft, defaults.first_row, defaults.drafted,
              defaults.accepted});
}

HearthCode hearth_speculator_create(const HearthDraftSource* source, const HearthSpeculationOptions* options,
                                    HearthSpeculator** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{source, "source"}, {out, "out"}}); !s) return s;
    const auto full = complete(
        source, +[](HearthDraftSource*) {});
    if (!full) return full.error();
    if (auto s = needs({{reinterpret_cast<void*>(full->propose), "propose"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    auto host = std::make_unique<HostDraftSource>(*full);
    HostDraftSource* made_host = host.get();
    auto made = hearth::Speculator::create(std::move(host), *how);
    if (!made) return made.error();
    *out = new HearthSpeculator{std::move(*made)};
    made_host->take();
    return {};
  });
}
HearthCode hearth_speculator_lookup(const HearthLookupOptions* lookup, const HearthSpeculationOptions* options,
                                    HearthSpeculator** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    const auto where = to_cpp(lookup);
    if (!where) return where.error();
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Speculator::lookup(*where, *how), out);
  });
}
HearthCode hearth_speculator_draft_model(const HearthSession* target, const HearthModel* draft,
                                         const HearthSpeculationOptions* options, HearthSpeculator** out,
                                         HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{target, "target"}, {draft, "draft"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Speculator::draft_model(target->session, draft->model, *how), out);
  });
}
HearthCode hearth_speculator_mtp(HearthSession* target, const HearthSpeculationOptions* options, HearthSpeculator** out,
                                 HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{target, "target"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Speculator::mtp(target->session, *how), out);
  });
}
void hearth_speculator_free(HearthSpeculator* speculator) {
  delete speculator;
}
HearthCode hearth_speculator_begin(HearthSpeculator* speculator, const HearthSpeculativeText* text,
                                   HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{speculator, "speculator"}, {text, "text"}}); !s) return s;
    const auto made = speculative_text(text);
    if (!made) return made.error();
    return speculator->speculator.begin(*made);
  });
}
HearthCode hearth_speculator_plan(HearthSpeculator* speculator, const HearthSession* session,
                                  HearthSpeculativeText* texts, size_t n_texts, bool draft, HearthBatchToken** batch,
                                  size_t* n, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{speculator, "speculator"}, {session, "session"}, {batch, "batch"}, {n, "n"}}); !s) return s;
    std::vector<hearth::SpeculativeText> all;
    for (size_t i = 0; i < n_texts; ++i) {
      if (auto s = needs({{texts, "texts"}}); !s) return s;
      const auto made = speculative_text(item(texts, i));
      if (!made) return made.error();
      all.push_back(*made);
    }
    std::vector<hearth::BatchToken> planned;
    if (auto s = speculator->speculator.plan(session->session, all, planned, draft); !s) return s;
    std::vector<HearthBatchToken> tokens;
    for (const hearth::BatchToken& t : planned) tokens.push_back({t.id, t.pos, t.seq, t.logits});
    if (auto s = hand_out(std::span<const HearthBatchToken>(tokens), batch, n); !s) return s;
    for (size_t i = 0; i < n_texts; ++i) put_back(all[i], const_cast<HearthSpeculativeText*>(item(texts, i)));
    return {};
  });
}
HearthCode hearth_speculator_accept(HearthSpeculator* speculator, HearthSession* session, HearthSpeculativeText* text,
                                    HearthOnToken on_token, void* user, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{speculator, "speculator"}, {session, "session"}, {text, "text"}}); !s) return s;
    auto made = speculative_text(text);
    if (!made) return made.error();
    hearth::Speculator::TokenCallback seen = [&](const hearth::GeneratedToken& token) {
      if (on_token == nullptr) return true;
      const HearthGeneratedToken lent = to_c(token);
      return on_token(user, &lent);
    };
    const hearth::Status status = speculator->speculator.accept(session->session, *made, seen);
    put_back(*made, text);
    return status;
  });
}
void hearth_speculator_options(const HearthSpeculator* speculator, HearthSpeculationOptions* out) {
  if (speculator == nullptr) return;
  const hearth::SpeculationOptions& options = speculator->speculator.options();
  fill(out, {0, options.max_draft, options.adaptive});
}
const char* hearth_speculator_source_name(const HearthSpeculator* speculator) {
  return speculator == nullptr ? "" : speculator->speculator.source_name();
}
void hearth_speculator_stats(HearthSpeculator* speculator, HearthSpeculationStats* out) {
  if (speculator == nullptr) return;
  hearth::guard_or(0, [&] {
    hearth::SpeculationStats s = speculator->speculator.stats();
    speculator->note = std::move(s.note);
    fill(out, to_c(s, speculator->note.c_str()));
    return 0;
  });
}

}  // extern "C"
