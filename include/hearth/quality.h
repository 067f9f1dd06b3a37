// Quality: how well a model predicts a text, how far a quantized model departs from the one that it was made from, and
// which columns of its matrices matter.
//
//   auto report = hearth::measure_perplexity(*model, text, {.base = &*original});
//   if (!report) return fail(report.error());
//   std::printf("perplexity %.4f +- %.4f", report->perplexity.value, report->perplexity.error);
//   std::printf(", divergence %.6f\n", report->divergence->kld.value);
//
// Texts are cut into chunks of equal length, each of which starts with an empty cache (and with BOS in place of its
// first token where the vocabulary adds BOS); in the second half of a chunk every token is predicted from those before
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/importance_matrix.h"
#include "hearth/kv_cache.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "hearth/threads.h"

namespace hearth {

/// How a text is computed.
struct MeasureOptions {
  int32_t chunk_size = 512;      ///< tokens
  int64_t max_chunks = 0;        ///< of the text from its beginning; 0: all
  bool parse_special = false;    ///< control tokens that are written in the text become those tokens
  KVType k_type = KVType::kF16;  ///< as in SessionOptions, with the four that follow
  KVType v_type = KVType::kF16;
  int n_threads = 0;
  bool exact_products = false;
  const ThreadPool* pool = nullptr;
  const std::atomic<bool>* cancel = nullptr;  ///< ends the run once it is true; off: nullptr
};

/// A mean over the scored tokens (or what follows from one) and its standard error.
struct Estimate {
  double value = 0;
  double error = 0;
};

struct Percentile {
  double percent = 0;  ///< 0: the least, 50: the median, 100: the largest
  double value = 0;
};

/// A model beside its base. p is the probability that the base gives to a token, q the model's.
struct Divergence {
  Estimate base_perplexity;
  Estimate ln_ratio;       ///< of the perplexities; tokens are compared one by one, so its error is small
  double correlation = 0;  ///< of the two losses, token by token
  Estimate kld;            ///< Kullback-Leibler divergence sum p ln(p / q), in nats
  Estimate dp;             ///< q - p of the token that follows in the text
  Estimate dp_rms;         ///< root of its mean square
  Estimate same_top;       ///< share of positions where both find the same token likeliest
  std::vector<Percentile> kld_percentiles;
  std::vector<Percentile> dp_percentiles;
};

struct PerplexityReport {
  int64_t n_chunks = 0;        ///< done
  int64_t n_chunks_total = 0;  ///< of the text; more than n_chunks when the run was ended early
  int64_t n_scored = 0;        ///< tokens
  Estimate nll;                ///< mean of -ln q of the token that follows
  Estimate perplexity;         ///< exp of it
  std::optional<Divergence> divergence;
};

struct PerplexityOptions {
  MeasureOptions run{};
  const Model* base = nullptr;  ///< compares with this model, computed beside the other; both have one vocabulary
  /// Compares with what a base model left in this file: that of save_logits, or of llama.cpp's llama-perplexity
  /// (--kl-divergence-base). The tokens are those of the file; the text must be the same, or empty. Empty: none.
  std::string base_logits{};
  /// Writes this model's predictions for later comparisons: half a byte per entry of the vocabulary for each scored
  /// token, and the likeliest 512 exactly. The file appears when the run is complete. Empty: none.
  std::string save_logits{};
  /// Called after every chunk with the values so far; return false to end early. Off: empty.
  std::function<bool(const PerplexityReport& so_far)> on_progress{};
};

/// A run that was ended early, by on_progress or run.cancel, reports on the chunks that were complete; kCancelled
/// without any. kInvalidArgument for a text of less than two chunks, options out of range, or a base that does not fit;
/// kUnsupported for an encoder; errors of files and sessions.
Result<PerplexityReport> measure_perplexity(const Model& model, std::string_view text,
                                            const PerplexityOptions& options = {});

struct ImportanceOptions {
  MeasureOptions run{};
  bool with_output = false;  ///< measures the output matrix too (its logits are then computed)
  std::string dataset{};     ///< name of the text, for the file
  /// Called after every chunk; return false to end with kCancelled. Off: empty.
  std::function<bool(int64_t done_chunks, int64_t total_chunks)> on_progress{};
};

/// Sums of squared inputs of every matrix in the model's blocks. kInvalidArgument for a text of less than one chunk,
/// kCancelled, errors of sessions. See ImportanceMatrix::warnings() for what the text was too short for.
Result<ImportanceMatrix> measure_importance(const Model& model, std::string_view text,
                                            const ImportanceOptions& options = {});

}  // namespace hearth
