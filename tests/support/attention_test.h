// Pages, queries and states for tests of attention.
#pragma once

#include <algorithm>

#include "tests/support/kernel_test.h"
#include "tests/support/rounding.h"

namespace hearth::test {

using kernels::AttentionShape;
using kernels::AttentionState;
using kernels::kPageTokens;
using kernels::KvPage;
using kernels::KvType;

/// One page; slots that are not filled hold NaN.
struct TestPage {
  explicit TestPage(const AttentionShape& shape)
      : k(static_cast<size_t>(kernels::kv_page_bytes(shape.k_type, shape.k_dim)), 0),
        v(static_cast<size_t>(kernels::kv_page_bytes(shape.v_type, shape.v_dim)), 0) {
    std::memset(k.data(), 0xff, k.size());
    std::memset(v.data(), 0xff, v.size());
  }
  KvPage page() { return {k.data(), v.data()}; }

  Guarded<unsigned char> k, v;
};

/// Standard deviation of the elements of queries: that of scores is then about 1.5.
inline float query_sigma(int k_dim) {
  return 1.5f / std::sqrt(static_cast<float>(k_dim));
}

/// Largest difference of a score computed twice in floats; `bias`: the largest distance bias that is added to it. The
/// magnitudes of its products add up to at most |q| |k|, about 1.5 sqrt(k_dim + 15) with one key element four times as
/// large; a third more for chance.
inline double score_difference(int k_dim, double bias = 0) {
  return testing::sum_difference(k_dim) * 2 * std::sqrt(k_dim + 15.0) + 2 * testing::kRoundoff * bias;
}

/// Relative mean square difference of the same attention computed twice in floats. The error of a score (u sqrt(k_dim)
/// of its size, here twice its deviation) is the relative error of its weight; exp adds 8 units, the sum over tokens
/// u sqrt(n).
inline double page_nmse(int k_dim, int n_tokens, double bias = 0) {
  const double one = 3 * std::sqrt(double(k_dim)) + bias + 8 + std::sqrt(double(n_tokens));
  return 4 * one * one * testing::kRoundoff * testing::kRoundoff;
}

/// Root mean square error of a score, of deviation 1.5, whose query was rounded to 16-bit codes: the largest of 32
/// elements is about three deviations, and rounding is off by a twelfth of a step's square.
inline constexpr double kQueryCodesError = 1.5 * 3.5 / 32767 / 3.46;

/// What that adds to page_nmse() for keys of blocks, with a half more for large key elements; 0 for others.
inline double query_codes_nmse(KvType k_type) {
  return kernels::kv_type_info(k_type).block_size == 1 ? 0 : 2 * kQueryCodesError * kQueryCodesError;
}

/// What it adds to score_difference(), in six deviations.
inline double query_codes_difference(KvType k_type) {
  return kernels::kv_type_info(k_type).block_size == 1 ? 0 : 6 * kQueryCodesError;
}

/// Writes normal numbers into the slots of `held`; keys have some large elements, as real ones do.
inline void fill_page(TestPage& page, const AttentionShape& shape, uint64_t held, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> k(static_cast<size_t>(shape.k_dim)), v(static_cast<size_t>(shape.v_dim));
  for (int t = 0; t < kPageTokens; ++t) {
    for (float& x : k) x = normal(random);
    for (float& x : v) x = normal(random);
    k[k.size() / 3] *= 4.0f;
    if (((held >> t) & 1u) != 0) store_kv(*kernels::isa_table(0), page.page(), shape, t, k.data(), v.data());
  }
}

/// Every KV type.
inline std::vector<KvType> all_kv_types() {
  std::vector<KvType> types;
  for (int i = 0; i < kernels::kKvTypeCount; ++i) types.push_back(static_cast<KvType>(i));
  return types;
}

/// State of nq queries, guarded.
struct TestState {
  TestState(int nq, int v_dim)
      : max(static_cast<size_t>(nq)),
        sum(static_cast<size_t>(nq)),
        acc(static_cast<size_t>(nq) * static_cast<size_t>(v_dim), 0) {
    std::fill_n(max.data(), max.size(), -std::numeric_limits<float>::infinity());
    std::fill_n(sum.data(), sum.size(), 0.0f);
    std::fill_n(acc.data(), acc.size(), 0.0f);
  }
  AttentionState state() { return {max.data(), sum.data(), acc.data()}; }
  bool intact() { return max.intact() && sum.intact() && acc.intact(); }
  /// The same bits throughout.
  bool same_as(TestState& other) {
    const auto equal = [](Guarded<float>& a, Guarded<float>& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    return equal(max, other.max) && equal(sum, other.sum) && equal(acc, other.acc);
  }

  Guarded<float> max, sum, acc;
};

/// Normalized mean squared error of acc / sum, over queries that saw anything; checks that the others agree.
inline double attention_nmse(TestState& actual, TestState& expected, int v_dim) {
  double error = 0, power = 0;
  for (size_t i = 0; i < actual.sum.size(); ++i) {
    if (expected.sum[i] == 0.0f) {
      EXPECT_EQ(actual.sum[i], 0.0f);
      EXPECT_EQ(actual.max[i], expected.max[i]);
      continue;
    }
    for (size_t d = 0; d < static_cast<size_t>(v_dim); ++d) {
      const size_t at = i * static_cast<size_t>(v_dim) + d;
      const double e = expected.acc[at] / expected.sum[i], a = actual.acc[at] / actual.sum[i];
      error += (a - e) * (a - e);
      power += e * e;
    }
  }
  return power > 0 ? error / power : error;
}

}  // namespace hearth::test
