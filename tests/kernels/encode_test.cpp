// Encoders on numbers made here: the same bytes on every instruction set, nothing that is not finite, and errors that
// the width of the levels explains.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/encoders.h"
#include "tests/kernels/random_blocks.h"
#include "tests/support/kernel_test.h"

namespace hearth::test {
namespace {

using kernels::TypeKernels;

constexpr int64_t kCols = 1024;

/// Rows of several kinds, hostile ones among them.
std::vector<std::vector<float>> make_rows() {
  std::mt19937 random = rng(77);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<std::vector<float>> rows(12, std::vector<float>(kCols, 0.0f));
  for (size_t i = 0; i < kCols; ++i) {
    const float x = normal(random);
    rows[0][i] = x;
    rows[1][i] = x * x * x * 1e4f;                      // heavy tails
    rows[2][i] = i % 100 == 0 ? 50.0f * x : 0.01f * x;  // outliers
    rows[3][i] = 0.3f + 0.1f * x;                       // far from zero
    rows[4][i] = static_cast<float>(i % 3) - 1.0f;      // ternary
    rows[5][i] = x * 1e9f;                              // beyond half precision
    rows[6][i] = x * 1e-39f;                            // subnormal
    rows[7][i] = i % 7 == 0 ? std::nanf("") : i % 11 == 0 ? INFINITY : i % 13 == 0 ? -FLT_MAX : x;
    rows[8][i] = i % 90 == 7 ? x : 0.0f;               // sparse
    rows[9][i] = -0.0421f;                             // constant
    rows[10][i] = random() % 2 != 0 ? 0.05f : -0.05f;  // binary
  }
  return rows;  // the last is zero
}

std::vector<float> make_weights() {
  std::mt19937 random = rng(78);
  std::normal_distribution<float> normal(0.0f, 1.5f);
  std::vector<float> weights(kCols);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = i % 10 == 3 ? 0.0f : std::exp(normal(random));
  return weights;
}

std::vector<uint8_t> encode_by(const kernels::EncoderTable& set, int type, const std::vector<float>& x,
                               const float* w) {
  const TypeKernels& shape = kernels::kernels().types[type];
  Guarded<uint8_t> blocks(static_cast<size_t>(kCols / shape.block_size * shape.block_bytes));
  set.encode[type](blocks.data(), x.data(), w, kCols);
  EXPECT_TRUE(blocks.intact());
  return {blocks.data(), blocks.data() + blocks.size()};
}

std::vector<float> decode(const TypeKernels& type, const std::vector<uint8_t>& blocks) {
  std::vector<float> y(kCols);
  type.dequantize(y.data(), blocks.data(), kCols);
  return y;
}

double rms(const std::vector<float>& x, const std::vector<float>& y, const float* w) {
  double sum = 0, weights = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double difference = double{x[i]} - double{y[i]}, weight = w != nullptr ? w[i] : 1.0f;
    sum += weight * difference * difference;
    weights += weight;
  }
  return std::sqrt(sum / weights);
}

TEST(EncoderSets, MakeTheSameBytes) {
  const auto rows = make_rows();
  const auto weights = make_weights();
  for (int set = 1; set < kernels::encoder_set_count(); ++set) {
    if (kernels::encoder_set(set) == nullptr) continue;
    for (int t = 0; t < kernels::kTypeCount; ++t) {
      for (size_t r = 0; r < rows.size(); ++r) {
        for (const float* w : {static_cast<const float*>(nullptr), weights.data()}) {
          ASSERT_EQ(encode_by(*kernels::encoder_set(set), t, rows[r], w),
                    encode_by(*kernels::encoder_set(0), t, rows[r], w))
              << testing::kTypeNames[t] << " row " << r << " weights " << (w != nullptr);
        }
      }
    }
  }
}

class Encoders : public ::testing::TestWithParam<int> {
 protected:
  const TypeKernels& type() const { return kernels::kernels().types[GetParam()]; }
  std::string name() const { return testing::kTypeNames[GetParam()]; }
  std::vector<uint8_t> encode(const std::vector<float>& x, const float* w) const {
    return encode_by(kernels::encoders(), GetParam(), x, w);
  }
  double bits() const { return 8.0 * type().block_bytes / type().block_size; }
};

TEST_P(Encoders, GiveFiniteValuesWhateverTheInput) {
  if (name() == "F32") GTEST_SKIP() << "floats are copied";
  const auto weights = make_weights();
  for (const std::vector<float>& row : make_rows()) {
    for (const float* w : {static_cast<const float*>(nullptr), weights.data()}) {
      for (const float y : decode(type(), encode(row, w))) {
        if (name() == "F16" || name() == "BF16") continue;  // what is not a number stays so
        ASSERT_TRUE(std::isfinite(y));
      }
    }
  }
}

TEST_P(Encoders, KeepZeros) {
  for (const float y : decode(type(), encode(std::vector<float>(kCols, 0.0f), nullptr))) ASSERT_EQ(y, 0.0f);
}

/// A normal row in b bits cannot err by less than 2^-b of its size (the rate-distortion function); blocks that search
/// well stay within twice that, types of very few values within their own limits.
TEST_P(Encoders, ErrLittleOnNormalRows) {
  const std::vector<float> x = make_rows()[0];
  const double sigma = rms(x, std::vector<float>(kCols, 0.0f), nullptr);
  const double bound = bits() > 10 ? 0.003 : bits() < 2 ? 0.62 : 2.3 * std::exp2(-bits());
  EXPECT_LT(rms(x, decode(type(), encode(x, nullptr)), nullptr) / sigma, bound);
}

TEST_P(Encoders, WeightsMoveTheErrorWhereItMattersLess) {
  const std::vector<float> x = make_rows()[0];
  const auto weights = make_weights();
  const std::vector<uint8_t> plain = encode(x, nullptr), weighted = encode(x, weights.data());
  EXPECT_LE(rms(x, decode(type(), weighted), weights.data()), rms(x, decode(type(), plain), weights.data()) * 1.0001);
}

/// What a type can hold exactly it holds nearly exactly: its own decoded blocks.
TEST_P(Encoders, MeetDecodedBlocks) {
  const std::vector<float> x = decode(type(), encode(make_rows()[1], nullptr));
  const std::vector<float> y = decode(type(), encode(x, nullptr));
  const double sigma = rms(x, std::vector<float>(kCols, 0.0f), nullptr);
  EXPECT_LT(rms(x, y, nullptr) / sigma, bits() < 4 ? 0.25 : 0.03);
}

INSTANTIATE_TEST_SUITE_P(Types, Encoders, ::testing::Range(0, kernels::kTypeCount),
                         [](const auto& each) { return testing::kTypeNames[each.param]; });

}  // namespace
}  // namespace hearth::test
