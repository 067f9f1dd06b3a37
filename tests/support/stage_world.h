// What one stage of the forward pass needs, without a session: any row of options, with the sizes and weights of a
// small file; and the little arithmetic in double precision by which tests of stages compute what they expect.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "lib/model/forward.h"
#include "lib/session/plan.h"
#include "support/family_model.h"

namespace hearth::testing {

/// Scratch memory, cache and weights of a model whose architecture need not be one of lib/arch. Floats everywhere.
class StageWorld {
 public:
  StageWorld(const Architecture& arch, const TinyModel& tiny, int32_t n_ctx = 256) : arch_(arch), bytes_(tiny.gguf()) {
    auto file = GgufFile::from_memory(bytes_);
    EXPECT_TRUE(file) << file.error().message;
    file_.emplace(std::move(*file));
    auto hp = read_hparams(*file_, arch_);
    EXPECT_TRUE(hp) << hp.error().message;
    if (!hp) return;
    hp_ = std::move(*hp);
    auto weights = bind_weights(*file_, arch_, hp_);
    EXPECT_TRUE(weights) << weights.error().message;
    if (!weights) return;
    weights_ = std::move(*weights);
    make_session(
        {.n_ctx = n_ctx, .n_seqs = 2, .n_batch = 64, .n_logits = 64, .k_type = KVType::kF32, .v_type = KVType::kF32});
  }

  ForwardContext c;
  Scratch& scratch() { return scratch_; }
  const HParams& hp() const { return hp_; }

  /// Places for a batch in the cache, which a session would reserve before forward().
  void reserve(std::span<const BatchToken> batch) {
    const Status status = cache_->reserve(batch);
    EXPECT_TRUE(status) << status.error().message;
  }

 private:
  void make_session(const SessionOptions& wanted) {
    const auto options = resolve_options(hp_, wanted);
    EXPECT_TRUE(options) << options.error().message;
    auto cache = KVCache::Impl::create(cache_layers(hp_, *options), cache_options(*options));
    auto parallel = Parallel::create(2);
    EXPECT_TRUE(cache && parallel);
    cache_ = std::move(*cache);
    parallel_ = std::move(*parallel);
    ScratchSizes sizes = scratch_sizes(hp_, *options);
    sizes.n_threads = parallel_->n_threads();
    Layout counting(nullptr);
    Scratch::lay_out(counting, arch_, hp_, sizes);
    memory_ = std::move(*AlignedBuffer::allocate(counting.used(), "scratch memory"));
    Layout layout(memory_.data());
    scratch_ = Scratch::lay_out(layout, arch_, hp_, sizes);
    matmul_.bind(scratch_.matmul, matmul_rows(hp_, sizes), hp_.widest_input, sizes.n_threads);
    for (const RopeParams& rope : hp_.ropes) ropes_.push_back(make_rope_table(rope, weights_, options->n_ctx));
    c = {&arch_, &hp_, &weights_, ropes_, {}, &scratch_, cache_.get(), parallel_.get(), {parallel_.get(), &matmul_}};
    c.k_type = c.v_type = kernels::KvType::kF32;
    c.causal = hp_.causal;
  }

  Architecture arch_;
  std::vector<std::byte> bytes_;
  std::optional<GgufFile> file_;
  HParams hp_;
  Weights weights_;
  std::unique_ptr<KVCache::Impl> cache_;
  std::unique_ptr<Parallel> parallel_;
  AlignedBuffer memory_;
  Scratch scratch_;
  MatmulScratch matmul_;
  std::vector<RopeTable> ropes_;
};

using Vec = std::vector<double>;

inline double dot(const double* a, const double* b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// W x of a tensor [cols, rows] of the file.
inline Vec times(const TinyModel::Tensor& w, const Vec& x) {
  const auto cols = static_cast<size_t>(w.dims[0]), rows = w.values.size() / cols;
  Vec y(rows, 0.0);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t k = 0; k < cols; ++k) y[r] += double{w.values[r * cols + k]} * x[k];
  }
  return y;
}

/// x / rms(x) * w, where w may be empty.
inline Vec rms_norm(const Vec& x, const std::vector<float>& w, double eps) {
  const double scale = 1 / std::sqrt(dot(x.data(), x.data(), x.size()) / static_cast<double>(x.size()) + eps);
  Vec y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * (w.empty() ? 1.0 : double{w[i]});
  return y;
}

inline double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
inline double silu(double x) {
  return x * sigmoid(x);
}

/// n rows of normally distributed numbers, written to `out` and returned.
inline std::vector<Vec> random_rows(float* out, int n, int64_t width, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Vec> rows(static_cast<size_t>(n), Vec(static_cast<size_t>(width)));
  for (Vec& row : rows) {
    for (double& value : row) {
      double sum = -6;
      for (int i = 0; i < 12; ++i) sum += static_cast<double>(random()) / 4294967296.0;
      *out = static_cast<float>(sum);
      value = double{*out++};
    }
  }
  return rows;
}

/// The relative difference of a row of floats from what is expected is at most `bound`: by default the additions behind
/// a number (sums of up to 80 terms, one after the other) times the unit roundoff, 6e-8.
inline void expect_close(const float* actual, const Vec& expected, const std::string& what, double bound = 1e-5) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += (double{actual[i]} - expected[i]) * (double{actual[i]} - expected[i]);
    norm += expected[i] * expected[i];
  }
  EXPECT_LE(std::sqrt(error), bound * std::sqrt(norm))
      << what << ", begins " << actual[0] << ", expected " << expected[0];
}

}  // namespace hearth::testing
