// Products of experts that gate, or add up, what they make where they make it, beside the same with every step apart.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "lib/matmul/matmul.h"
#include "tests/matmul/matmul_world.h"

namespace hearth {
namespace {

using testing::RandomMatrix;
using testing::RandomUpdate;
using testing::Workplace;

constexpr int kExperts = 5;
constexpr int64_t kRows = 75, kCols = 256;  // of one expert
constexpr uint32_t kPerToken = 2;

/// Matrices of the experts, with everything that a product may have besides.
struct Experts {
  Experts(int type, int64_t n_entries, std::mt19937& random)
      : all(type, kRows * kExperts, kCols, random),
        one(all.matrix),
        bias(testing::random_floats(kRows * kExperts, random)),
        scales({0.5f, 1.25f, 1.0f, 3.0f, 1.0f}),
        low(kRows * kExperts, n_entries, random),
        update(low.update()) {
    one.rows = kRows;
    update.b.rows = kRows;
    update.expert_stride_bytes = kRows * update.b.row_bytes;
  }
  Product product(float* out, int64_t ldo) const {
    return {&one, out, ldo, bias.data(), {&update, 1}, kRows * one.row_bytes, scales.data()};
  }
  RandomMatrix all;
  Matrix one;
  std::vector<float> bias, scales;
  RandomUpdate low;
  LowRankUpdate update;
};

/// Every token visits expert 4 and another: the first three 2, later ones 0 or 1. Expert 3 has no visitors.
struct Visits {
  explicit Visits(int64_t n_tokens) {
    for (int32_t t = 0; t < n_tokens; ++t) {
      expert.insert(expert.end(), {t < 3 ? 2 : t % 2, 4});
      row.insert(row.end(), {t, t});
    }
    for (int e = 0; e < kExperts; ++e) {
      for (size_t i = 0; i < expert.size(); ++i) {
        if (expert[i] == e) order.push_back(static_cast<int32_t>(i));
      }
    }
  }
  std::vector<int32_t> expert, row, order;
};

class ExpertTypes : public ::testing::TestWithParam<int> {};

TEST_P(ExpertTypes, GatesAndSumsAreThoseOfSeparateSteps) {
  std::mt19937 random(7);
  for (const int64_t n_tokens : {1, 4, 60}) {
    const Visits visits(n_tokens);
    const auto n_entries = static_cast<int64_t>(visits.expert.size());
    const Experts gate(GetParam(), n_entries, random), up(GetParam(), n_entries, random);
    const auto x = testing::random_floats(n_tokens * kCols, random);
    const auto weight = testing::random_floats(n_entries, random);
    const auto before = testing::random_floats(n_tokens * kRows, random);
    const std::vector<int32_t> no_order;
    std::vector<float> first_gated, first_sum;
    for (const int n_threads : {1, 3}) {
      for (const std::vector<int32_t>* order : {&no_order, &visits.order}) {
        Workplace place(n_threads, 32);  // entries of several passes
        const Routing routing{visits.expert, visits.row, kExperts, *order};
        const Activations input{x.data(), kCols, n_tokens};
        std::vector<float> g(static_cast<size_t>(n_entries * kRows), NAN), u = g, gated = g;
        const Product apart[] = {gate.product(g.data(), kRows), up.product(u.data(), kRows)};
        matmul_experts(place.context(), input, routing, apart);
        matmul_gated_experts(place.context(), input, routing,
                             {gate.product(nullptr, 0), up.product(gated.data(), kRows), kernels::Gate::kSilu});
        std::vector<float> sum = before, expected_sum = before;
        matmul_expert_sums(place.context(), input, routing, up.product(sum.data(), kRows), {weight.data(), kPerToken});

        std::vector<float> expected(static_cast<size_t>(kRows));
        for (int64_t i = 0; i < n_entries; ++i) {
          for (int64_t r = 0; r < kRows; r += kernels::kPanelRows) {
            kernels::kernels().gate_mul(expected.data() + r, g.data() + i * kRows + r, u.data() + i * kRows + r,
                                        std::min<int64_t>(kernels::kPanelRows, kRows - r), kernels::Gate::kSilu);
          }
          ASSERT_TRUE(std::equal(expected.begin(), expected.end(), gated.begin() + i * kRows)) << "entry " << i;
        }
        for (const int32_t i : visits.order) {  // a token's experts in the order of their numbers
          kernels::kernels().axpy(expected_sum.data() + i / int32_t{kPerToken} * kRows, weight[static_cast<size_t>(i)],
                                  u.data() + i * kRows, kRows);
        }
        ASSERT_EQ(expected_sum, sum);
        if (first_gated.empty()) first_gated = gated, first_sum = sum;
        EXPECT_EQ(first_gated, gated) << n_threads << " threads";
        EXPECT_EQ(first_sum, sum) << n_threads << " threads";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExpertTypes, ::testing::Range(0, kernels::kTypeCount),
                         [](const auto& type) { return std::string(testing::kTypeNames[type.param]); });

}  // namespace
}  // namespace hearth
