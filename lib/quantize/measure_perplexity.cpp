// Perplexity and divergence: computes chunks, scores the second half of each, compares with a base.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "hearth/quality.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/quantize/base_logits.h"
#include "lib/quantize/quality_report.h"
#include "lib/quantize/text_chunks.h"
#include "lib/session/session_impl.h"

namespace hearth {
namespace {

Error invalid_run(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

class PerplexityRun {
 public:
  PerplexityRun(const Model& model, const PerplexityOptions& options) : model_(model), options_(options) {}

  Result<PerplexityReport> run(std::string_view text);

 private:
  bool has_base() const { return options_.base != nullptr || base_file_.has_value(); }
  Status check() const;
  Status open_chunks(std::string_view text);
  Status take_chunks_of_file(std::string_view text);
  Status open_sessions();
  Status compute_chunk(int64_t i);
  Status compute_base(int64_t i);
  void score_rows(std::span<const Token> chunk, int64_t i, int64_t first, int64_t n);
  void for_rows(ChunkSession& run, int64_t n, const std::function<void(int64_t)>& work) const;
  Status score_row(LogitsRow row, Token next, int64_t place, int64_t row_in_chunk);

  const Model& model_;
  const PerplexityOptions& options_;
  MeasureOptions settings_;  ///< with the chunk size of the file
  TextChunks chunks_;
  std::optional<BaseLogitsReader> base_file_;
  std::optional<BaseLogitsWriter> saved_;
  std::optional<ChunkSession> session_, base_session_;
  size_t row_bytes_ = 0;
  std::vector<std::byte> packed_;  ///< rows of the chunk: of the base model, or to be saved
  std::vector<ScoredToken> scored_;
  Status status_;
};

Status PerplexityRun::check() const {
  if (!model_.info().has_logits)
    return Error{ErrorCode::kUnsupported, "an encoder has no perplexity: it has no logits"};
  if (!options_.base_logits.empty() && options_.base != nullptr)
    return invalid_run("base and base_logits exclude each other");
  if ((options_.base != nullptr || !options_.base_logits.empty()) && !options_.save_logits.empty())
    return invalid_run("save_logits needs a run of the base model alone");
  if (options_.base != nullptr && options_.base->info().n_vocab != model_.info().n_vocab) {
    return invalid_run(concat("the base model has a vocabulary of ", options_.base->info().n_vocab,
                              " tokens, the model of ", model_.info().n_vocab));
  }
  return {};
}

Status PerplexityRun::take_chunks_of_file(std::string_view text) {
  Result<BaseLogitsReader> file = BaseLogitsReader::open(options_.base_logits);
  if (!file) return file.error();
  if (file->n_vocab() != static_cast<size_t>(model_.info().n_vocab)) {
    return invalid_run(concat(options_.base_logits, ": made with a vocabulary of ", file->n_vocab(),
                              " tokens, the model has ", model_.info().n_vocab));
  }
  chunks_ = {file->tokens(), file->chunk_size(), file->n_chunks()};
  settings_.chunk_size = static_cast<int32_t>(file->chunk_size());
  base_file_ = *std::move(file);
  if (!text.empty()) {
    settings_.max_chunks = chunks_.n_chunks;
    const Result<TextChunks> cut = cut_text(model_, text, settings_, 1);
    if (!cut) return cut.error();
    if (cut->tokens != chunks_.tokens) return invalid_run(options_.base_logits + ": made with another text");
  }
  if (options_.run.max_chunks > 0) chunks_.n_chunks = std::min(chunks_.n_chunks, options_.run.max_chunks);
  return {};
}

Status PerplexityRun::open_chunks(std::string_view text) {
  settings_ = options_.run;
  if (!options_.base_logits.empty()) return take_chunks_of_file(text);
  if (settings_.chunk_size < 4) return invalid_run(concat("chunk_size ", settings_.chunk_size, " is less than 4"));
  Result<TextChunks> cut = cut_text(model_, text, settings_, 2);
  if (!cut) return cut.error();
  chunks_ = *std::move(cut);
  return {};
}

Status PerplexityRun::open_sessions() {
  Result<ChunkSession> session = ChunkSession::create(model_, settings_, false);
  if (!session) return session.error();
  session_.emplace(*std::move(session));
  const auto n_vocab = static_cast<size_t>(model_.info().n_vocab);
  row_bytes_ = PackedRow::bytes(n_vocab);
  if (options_.base != nullptr) {
    Result<ChunkSession> base = ChunkSession::create(*options_.base, settings_, false);
    if (!base) return base.error();
    base_session_.emplace(*std::move(base));
  }
  if (!options_.save_logits.empty()) {
    auto saved = BaseLogitsWriter::create(options_.save_logits, n_vocab, chunks_.chunk_size, chunks_.tokens);
    if (!saved) return saved.error();
    saved_ = *std::move(saved);
  }
  if (base_session_ || saved_) packed_.resize(row_bytes_ * static_cast<size_t>(scored_of(chunks_.chunk_size)));
  return {};
}

/// Rows over the session's threads; each writes what is its own.
void PerplexityRun::for_rows(ChunkSession& run, int64_t n, const std::function<void(int64_t)>& work) const {
  SessionInternals::of(run.session()).parallel->run(static_cast<int>(n), [&](int i, int) { work(i); });
}

Status PerplexityRun::compute_base(int64_t i) {
  const std::span<const Token> chunk = chunks_.chunk(i);
  const int64_t first_scored = chunks_.chunk_size / 2;
  return base_session_->compute(chunk, first_scored, 1, options_.run.cancel, [&](int64_t first, int64_t n) {
    for_rows(*base_session_, n, [&](int64_t k) {
      const LogitsRow row(base_session_->session().logits(static_cast<size_t>(k)));
      const auto place = static_cast<size_t>(first - first_scored + k);
      PackedRow::pack(row, chunk[static_cast<size_t>(first + k + 1)], packed_.data() + place * row_bytes_);
    });
  });
}

/// `place`: of the scored token in scored_ and in the base's file; `row_in_chunk`: in packed_.
Status PerplexityRun::score_row(LogitsRow row, Token next, int64_t place, int64_t row_in_chunk) {
  ScoredToken& token = scored_[static_cast<size_t>(place)];
  token.nll = -row.ln_p(static_cast<size_t>(next));
  std::byte* packed = packed_.empty() ? nullptr : packed_.data() + static_cast<size_t>(row_in_chunk) * row_bytes_;
  if (saved_) PackedRow::pack(row, next, packed);
  if (!has_base()) return {};
  const auto c = base_file_ ? base_file_->compare(place, row, next) : PackedRow::compare(packed, row, next);
  if (!c) return Error{c.error().code, concat(options_.base_logits, ": row ", place, ": ", c.error().message)};
  token.base_nll = c->base_nll;
  token.kld = c->kld;
  token.dp = c->dp;
  token.same_top = c->same_top;
  return {};
}

void PerplexityRun::score_rows(std::span<const Token> chunk, int64_t i, int64_t first, int64_t n) {
  const int64_t first_scored = chunks_.chunk_size / 2, n_scored = scored_of(chunks_.chunk_size);
  std::vector<Status> done(static_cast<size_t>(n));
  for_rows(*session_, n, [&](int64_t k) {
    const int64_t in_chunk = first - first_scored + k;
    done[static_cast<size_t>(k)] =
        score_row(LogitsRow(session_->session().logits(static_cast<size_t>(k))),
                  chunk[static_cast<size_t>(first + k + 1)], i * n_scored + in_chunk, in_chunk);
  });
  for (const Status& s : done) status_ = status_ ? s : status_;
}

Status PerplexityRun::compute_chunk(int64_t i) {
  if (base_session_) {
    if (Status s = compute_base(i); !s) return s;
  }
  const size_t before = scored_.size();
  scored_.resize(before + static_cast<size_t>(scored_of(chunks_.chunk_size)));
  const std::span<const Token> chunk = chunks_.chunk(i);
  Status s = session_->compute(chunk, chunks_.chunk_size / 2, 1, options_.run.cancel,
                               [&](int64_t first, int64_t n) { score_rows(chunk, i, first, n); });
  if (s) s = status_;
  if (s && saved_) s = saved_->write(packed_);
  if (!s) scored_.resize(before);
  return s;
}

Result<PerplexityReport> PerplexityRun::run(std::string_view text) {
  if (Status s = check(); !s) return s.error();
  if (Status s = open_chunks(text); !s) return s.error();
  if (Status s = open_sessions(); !s) return s.error();
  int64_t n_done = 0;
  bool go_on = true;
  while (go_on && n_done < chunks_.n_chunks) {
    if (Status s = compute_chunk(n_done); !s) {
      if (s.error().code != ErrorCode::kCancelled || n_done == 0) return s.error();
      break;
    }
    ++n_done;
    if (!options_.on_progress) continue;
    PerplexityReport so_far = report_on(scored_, has_base(), false);
    so_far.n_chunks = n_done;
    so_far.n_chunks_total = chunks_.n_chunks;
    go_on = options_.on_progress(so_far);
  }
  PerplexityReport report = report_on(scored_, has_base(), true);
  report.n_chunks = n_done;
  report.n_chunks_total = chunks_.n_chunks;
  if (saved_ && n_done == chunks_.n_chunks) {
    if (Status s = saved_->finish(); !s) return s.error();
  }
  return report;
}

}  // namespace

Result<PerplexityReport> measure_perplexity(const Model& model, std::string_view text,
                                            const PerplexityOptions& options) {
  return guard([&] { return PerplexityRun(model, options).run(text); });
}

}  // namespace hearth
