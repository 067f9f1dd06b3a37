// What tests of matrix products share: a pool with guarded scratch memory, random matrices, and what a product may
// give.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "lib/matmul/matmul.h"
#include "tests/kernels/random_blocks.h"
#include "tests/support/rounding.h"

namespace hearth::testing {

using kernels::TypeIndex;

inline constexpr int64_t kMaxTokens = 128;
inline constexpr int64_t kMaxCols = 4352;

struct FreeAligned {
  void operator()(std::byte* p) const { std::free(p); }
};

/// A pool, and scratch memory of exactly the promised size with a guard behind it.
class Workplace {
 public:
  explicit Workplace(int n_threads, int64_t max_tokens = kMaxTokens) {
    auto pool = Parallel::create(n_threads);
    EXPECT_TRUE(pool.ok());
    pool_ = std::move(*pool);
    bytes_ = MatmulScratch::bytes_needed(max_tokens, kMaxCols, n_threads);
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(64, (bytes_ + kGuard + 63) / 64 * 64)));
    std::memset(memory_.get(), 0xff, bytes_ + kGuard);  // NaN
    scratch_.bind(memory_.get(), max_tokens, kMaxCols, n_threads);
  }
  ~Workplace() {
    for (uint64_t i = bytes_; i < bytes_ + kGuard; ++i) {
      if (memory_.get()[i] != std::byte{0xff}) {
        ADD_FAILURE() << "wrote behind the scratch memory";
        return;
      }
    }
  }
  MatmulContext context(bool batch_invariant = false, bool exact = false) {
    return {pool_.get(), &scratch_, batch_invariant, exact};
  }

 private:
  static constexpr uint64_t kGuard = 4096;
  std::unique_ptr<Parallel> pool_;
  MatmulScratch scratch_;
  uint64_t bytes_ = 0;
  std::unique_ptr<std::byte, FreeAligned> memory_;
};

/// A random matrix at an odd address whose last byte is the last byte of its allocation.
struct RandomMatrix {
  RandomMatrix(int type, int64_t rows, int64_t cols, std::mt19937& random) {
    const kernels::TypeKernels& traits = kernels::kernels().types[type];
    blocks = random_weights(traits, rows * cols, random);
    values.resize(static_cast<size_t>(rows * cols));
    traits.dequantize(values.data(), blocks.data(), rows * cols);
    blocks.insert(blocks.begin(), uint8_t{0});
    blocks.shrink_to_fit();
    matrix = {reinterpret_cast<const std::byte*>(blocks.data()) + 1, static_cast<TypeIndex>(type), rows, cols,
              cols / traits.block_size * traits.block_bytes};
  }
  std::vector<uint8_t> blocks;
  std::vector<float> values;
  Matrix matrix;
};

/// How a product rounds what it multiplies.
enum class Rounding {
  kSums,      ///< sums alone: floats, and codes with exact products
  kCodes,     ///< activations to codes of 8 bits
  kBFloat16,  ///< activations and weights
};

/// What products of that many tokens do, where nothing else is asked for.
inline Rounding rounding_of(TypeIndex type, int64_t n_tokens) {
  const kernels::KernelTable& table = kernels::kernels();
  if (table.types[static_cast<int>(type)].kind == kernels::PanelKind::kFloat) return Rounding::kSums;
  const int least = table.matmul.wide.least_cols;
  return (least > 0 && n_tokens >= least) ? Rounding::kBFloat16 : Rounding::kCodes;
}

/// sum of w x, and the largest error that a correct kernel may make.
struct Expected {
  double value = 0;
  double tolerance = 0;
};

inline Expected expect(const RandomMatrix& w, int64_t row, const float* x, Rounding rounding) {
  Expected e;
  const int64_t cols = w.matrix.cols;
  double magnitude = 0, squares = 0, code_noise = 0;
  for (int64_t k = 0; k < cols; k += 32) {
    const int64_t end = std::min(cols, k + 32);
    double largest = 0;
    double weights = 0;
    for (int64_t i = k; i < end; ++i) {
      const double wi = w.values[static_cast<size_t>(row * cols + i)];
      e.value += wi * x[i];
      magnitude += std::fabs(wi * x[i]);
      squares += wi * x[i] * wi * x[i];
      weights += wi * wi;
      largest = std::fmax(largest, std::fabs(x[i]));
    }
    code_noise += weights * largest * largest / (127.0 * 127.0) / 12.0;  // variance of rounding
  }
  e.tolerance = sum_error(static_cast<double>(cols)) * magnitude;
  // A code is off by half a step at most, evenly: the sum by 6.5 standard deviations but for a chance of 1e-10.
  if (rounding == Rounding::kCodes) e.tolerance += 6.5 * std::sqrt(code_noise);
  // Two factors, each off by a unit roundoff at most: the sum by 6 times the root of the sum of their squares but for a
  // chance of 2 exp(-18) (Hoeffding's inequality).
  if (rounding == Rounding::kBFloat16) e.tolerance += 6 * (2 + kBF16Roundoff) * kBF16Roundoff * std::sqrt(squares);
  return e;
}

/// An adapter's matrix for a product of `rows` rows, and what its tokens bring: every third gets nothing.
struct RandomUpdate {
  static constexpr int64_t kRank = 5;
  RandomUpdate(int64_t rows, int64_t n_rows_of_out, std::mt19937& random)
      : b(static_cast<int>(TypeIndex::kF16), rows, kRank, random), low(random_floats(n_rows_of_out * kRank, random)) {
    for (int64_t t = 0; t < n_rows_of_out; ++t) chosen.push_back(t % 3 == 2 ? -1 : 0);
  }
  LowRankUpdate update() const { return {b.matrix, 0, low.data(), chosen.data()}; }
  /// What it adds to row r of token t, and the error that may have.
  Expected added(int64_t r, int64_t t) const {
    if (chosen[static_cast<size_t>(t)] < 0) return {};
    return expect(b, r, low.data() + t * kRank, Rounding::kSums);
  }
  RandomMatrix b;
  std::vector<float> low;
  std::vector<int32_t> chosen;
};

}  // namespace hearth::testing
