// Importance matrices from text: an observer of the linear layers sums the squares of what they are given.
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "hearth/quality.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/quantize/text_chunks.h"
#include "lib/session/session_impl.h"

namespace hearth {
namespace {

/// Sums of one tensor, in doubles so that the order of tokens hardly matters.
struct Sums {
  std::vector<double> squares;  ///< [n_matrices, n_columns]
  std::vector<double> counts;   ///< one, or one for each expert
};

using SumsByName = std::map<std::string, Sums, std::less<>>;

/// Several matrices in one tensor are either experts, of which a token meets some, or one per head, which it all meets.
bool holds_experts(std::string_view name) {
  return name.find("_exps") != std::string_view::npos;
}

class Collector {
 public:
  Collector(const GgufFile& file, bool with_output) : file_(file), with_output_(with_output) {}

  void see(const LinearCall& call);
  Result<ImportanceMatrix> result() const;

 private:
  bool wants(const LinearCall& call, const GgufTensor& tensor) const;
  Sums& sums_of(std::string_view name, size_t n_matrices, size_t n_columns, size_t n_counts);
  void add_row(const LinearCall& call, int64_t row, Sums& sums, size_t matrix) const;
  void see_routed(const LinearCall& call, const GgufTensor& tensor);

  const GgufFile& file_;
  bool with_output_;
  SumsByName sums_;
};

/// Parts of a fused tensor (q, k and v) share their input: the first stands for all. Where a matrix is used transposed
/// its inputs are not those of its columns.
bool Collector::wants(const LinearCall& call, const GgufTensor& tensor) const {
  if (tensor.dims[0] != call.k) return false;
  if (call.first_row != 0 && (call.routing == nullptr || holds_experts(call.name))) return false;
  return call.name.starts_with("blk.") ||
         (with_output_ && (call.name == "output.weight" || call.name == "token_embd.weight"));
}

Sums& Collector::sums_of(std::string_view name, size_t n_matrices, size_t n_columns, size_t n_counts) {
  const auto found = sums_.find(name);
  if (found != sums_.end()) return found->second;
  Sums& sums = sums_[std::string(name)];
  sums.squares.resize(n_matrices * n_columns);
  sums.counts.resize(n_counts);
  return sums;
}

void Collector::add_row(const LinearCall& call, int64_t row, Sums& sums, size_t matrix) const {
  const float* x = call.x.x + row * call.x.ld;
  double* out = sums.squares.data() + matrix * static_cast<size_t>(call.k);
  for (int64_t i = 0; i < call.k; ++i) out[i] += double{x[i]} * double{x[i]};
}

void Collector::see_routed(const LinearCall& call, const GgufTensor& tensor) {
  const Routing& routing = *call.routing;
  const auto k = static_cast<size_t>(call.k), n_experts = static_cast<size_t>(routing.n_experts);
  const bool experts = holds_experts(call.name), stacked = tensor.dims[2] > 1;
  const std::string_view base = call.name.substr(0, call.name.rfind(".0."));  // of tensors that hold one expert each
  const bool separate = !experts && !stacked && base.size() < call.name.size();
  for (size_t i = 0; i < routing.expert.size(); ++i) {
    const auto expert = static_cast<size_t>(routing.expert[i]);
    if (separate) {
      Sums& sums = sums_of(concat(base, ".", expert, ".weight"), 1, k, 1);
      add_row(call, routing.row[i], sums, 0);
      sums.counts[0] += 1;
      continue;
    }
    const bool per_matrix = experts || stacked;
    Sums& sums = sums_of(call.name, per_matrix ? n_experts : 1, k, experts ? n_experts : 1);
    add_row(call, routing.row[i], sums, per_matrix ? expert : 0);
    // Every head meets every token, but a matrix that they share is met by each of them.
    sums.counts[experts ? expert : 0] += experts || !stacked ? 1 : 1.0 / static_cast<double>(n_experts);
  }
}

void Collector::see(const LinearCall& call) {
  const GgufTensor* tensor = file_.tensor(call.name);
  if (tensor == nullptr || !wants(call, *tensor)) return;
  if (call.routing != nullptr) return see_routed(call, *tensor);
  Sums& sums = sums_of(call.name, 1, static_cast<size_t>(call.k), 1);
  for (int64_t t = 0; t < call.x.n; ++t) add_row(call, t, sums, 0);
  sums.counts[0] += static_cast<double>(call.x.n);
}

/// Without the tensors whose activations were not finite.
Result<ImportanceMatrix> Collector::result() const {
  ImportanceMatrix matrix;
  for (const auto& [name, sums] : sums_) {
    ImportanceMatrix::Entry entry{name, {}, {}};
    entry.sums.assign(sums.squares.begin(), sums.squares.end());
    for (const double count : sums.counts) entry.counts.push_back(static_cast<float>(std::round(count)));
    const Status added = matrix.add(entry);
    if (!added && added.error().code == ErrorCode::kOutOfMemory) return added.error();
  }
  return matrix;
}

}  // namespace

Result<ImportanceMatrix> measure_importance(const Model& model, std::string_view text,
                                            const ImportanceOptions& options) {
  return guard([&]() -> Result<ImportanceMatrix> {
    const Result<TextChunks> chunks = cut_text(model, text, options.run, 1);
    if (!chunks) return chunks.error();
    const bool with_output = options.with_output && model.info().has_logits;
    Result<ChunkSession> run = ChunkSession::create(model, options.run, !with_output);
    if (!run) return run.error();
    Collector collector(model.file(), with_output);
    SessionInternals::of(run->session()).observe_linear = [&](const LinearCall& call) { collector.see(call); };
    for (int64_t i = 0; i < chunks->n_chunks; ++i) {
      if (Status s = run->compute(chunks->chunk(i), 0, 0, options.run.cancel, {}); !s) return s.error();
      if (options.on_progress && !options.on_progress(i + 1, chunks->n_chunks)) {
        return Error{ErrorCode::kCancelled, "cancelled while measuring"};
      }
    }
    Result<ImportanceMatrix> matrix = collector.result();
    if (!matrix) return matrix;
    if (matrix->entries().empty()) {
      return Error{ErrorCode::kUnsupported, "no matrix of the model has inputs that are finite"};
    }
    matrix->datasets = {options.dataset};
    matrix->n_chunks = chunks->n_chunks;
    matrix->chunk_size = chunks->chunk_size;
    return matrix;
  });
}

}  // namespace hearth
