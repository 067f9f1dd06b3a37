// attend_page and the KV types: every instruction set against the reference.
#include "tests/support/attention_test.h"

namespace hearth::test {
namespace {

class AttentionPage : public EveryIsa {
 protected:
  static constexpr int kPages = 3;
  static constexpr double kBias = 0.5 * kPages * kPageTokens;  // of the steepest slope

  /// Three pages in turn, both ways; the result must be the same to rounding.
  void run(const AttentionShape& shape, int nq, const std::vector<uint64_t>& visible, const float* alibi,
           uint32_t seed) {
    std::mt19937 random = rng(seed);
    const auto n = static_cast<size_t>(nq);
    const double bias = alibi != nullptr ? kBias : 0;
    constexpr int n_tokens = kPages * kPageTokens;
    Guarded<float> q(n * static_cast<size_t>(shape.k_dim), 3);
    fill_normal(q, random, query_sigma(shape.k_dim));
    Guarded<float> scratch(static_cast<size_t>(kernels::attend_scratch_floats(nq)), 0);
    TestState actual(nq, shape.v_dim), expected(nq, shape.v_dim);
    for (size_t p = 0; p * n < visible.size(); ++p) {
      uint64_t held = 0;
      for (size_t i = 0; i < n; ++i) held |= visible[p * n + i];
      TestPage page(shape);
      fill_page(page, shape, held, random);
      isa().attend_page(actual.state(), q.data(), nq, page.page(), shape, &visible[p * n], alibi, scratch.data());
      reference().attend_page(expected.state(), q.data(), nq, page.page(), shape, &visible[p * n], alibi,
                              scratch.data());
      EXPECT_TRUE(page.k.intact() && page.v.intact());
    }
    EXPECT_TRUE(actual.intact() && scratch.intact() && q.intact());
    EXPECT_TRUE(std::string(isa().isa) != "portable" || actual.same_as(expected));  // that one promises the bits
    for (size_t i = 0; i < n; ++i) {
      const double score = score_difference(shape.k_dim, bias) + query_codes_difference(shape.k_type);
      EXPECT_TRUE(close(actual.max[i], expected.max[i], 0, score));
      EXPECT_TRUE(close(actual.sum[i], expected.sum[i], 2 * score + testing::sum_difference(n_tokens), 0));
    }
    EXPECT_LE(attention_nmse(actual, expected, shape.v_dim),
              page_nmse(shape.k_dim, n_tokens, bias) + query_codes_nmse(shape.k_type));
  }

  void expect_independent_queries(const AttentionShape& shape) {
    std::mt19937 random = rng(12);
    TestPage page(shape);
    fill_page(page, shape, ~uint64_t{0}, random);
    const std::vector<uint64_t> visible = random_masks(11, 1, 13);
    std::vector<float> q(11 * 64), scratch(static_cast<size_t>(kernels::attend_scratch_floats(11)));
    fill_normal(q, random, 0.3f);
    TestState together(11, 80);
    isa().attend_page(together.state(), q.data(), 11, page.page(), shape, visible.data(), nullptr, scratch.data());
    for (size_t i = 0; i < 11; ++i) {
      TestState alone(1, 80);
      isa().attend_page(alone.state(), &q[i * 64], 1, page.page(), shape, &visible[i], nullptr, scratch.data());
      EXPECT_EQ(alone.max[0], together.max[i]);
      EXPECT_EQ(alone.sum[0], together.sum[i]);
      for (size_t d = 0; d < 80; ++d) EXPECT_EQ(alone.acc[d], together.acc[i * 80 + d]);
    }
  }

  std::vector<uint64_t> random_masks(int nq, int n_pages, uint32_t seed) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> visible(static_cast<size_t>(nq * n_pages));
    for (size_t i = 0; i < visible.size(); ++i) {
      switch (random() % 4) {
        case 0: visible[i] = ~uint64_t{0}; break;
        case 1: visible[i] = 0; break;
        case 2: visible[i] = ~uint64_t{0} >> (random() % 64); break;
        default: visible[i] = random(); break;
      }
    }
    return visible;
  }
};

TEST_P(AttentionPage, HeadSizes) {
  const std::pair<int, int> sizes[] = {{64, 64}, {128, 128}, {80, 80}, {96, 96},   {192, 128},
                                       {40, 24}, {1, 1},     {7, 5},   {256, 256}, {576, 512}};
  for (const auto& [k_dim, v_dim] : sizes) {
    for (KvType type : all_kv_types()) {
      const AttentionShape shape{k_dim, v_dim, type, type, 0};
      run(shape, 5, random_masks(5, 3, 1), nullptr, 7);
    }
  }
}

TEST_P(AttentionPage, CountsOfQueries) {
  for (int nq : {1, 2, 3, 4, 6, 7, 8, 13, 64}) {
    const AttentionShape shape{64, 64, KvType::kF16, KvType::kF16, 0};
    run(shape, nq, random_masks(nq, 3, 2), nullptr, 8);
  }
}

TEST_P(AttentionPage, MixedTypes) {
  for (KvType k_type : all_kv_types()) {
    for (KvType v_type : all_kv_types()) {
      run({32, 48, k_type, v_type, 0}, 3, random_masks(3, 3, 3), nullptr, 9);
    }
  }
}

TEST_P(AttentionPage, SoftCapAndAlibi) {
  std::vector<float> alibi;
  for (int i = 0; i < 6; ++i) {
    alibi.push_back(0.5f / static_cast<float>(1 << i));
    alibi.push_back(static_cast<float>(-70 + i));
  }
  run({64, 64, KvType::kF16, KvType::kF16, 2.0f}, 6, random_masks(6, 3, 4), nullptr, 10);
  run({64, 64, KvType::kF16, KvType::kF16, 0}, 6, random_masks(6, 3, 4), alibi.data(), 10);
  run({64, 64, KvType::kF16, KvType::kF16, 3.0f}, 6, random_masks(6, 3, 4), alibi.data(), 10);
}

TEST_P(AttentionPage, NothingVisibleChangesNothing) {
  const AttentionShape shape{64, 64, KvType::kF16, KvType::kF16, 0};
  const std::vector<uint64_t> none(10, 0);
  run(shape, 5, none, nullptr, 11);
}

TEST_P(AttentionPage, ScoresOfMinusInfinityWeighNothing) {
  const AttentionShape shape{2, 2, KvType::kF32, KvType::kF32, 0};
  TestPage page(shape);
  for (int t = 0; t < kPageTokens; ++t) {
    const float k[2] = {t == 5 ? 1.0f : -std::numeric_limits<float>::infinity(), 0.0f},
                v[2] = {static_cast<float>(t), 1.0f};
    store_kv(isa(), page.page(), shape, t, k, v);
  }
  const float q[4] = {1, 0, 1, 0};
  const uint64_t visible[2] = {~uint64_t{0}, 0xf};  // the second sees slots of -inf alone
  std::vector<float> scratch(static_cast<size_t>(kernels::attend_scratch_floats(2)) + 16);
  TestState state(2, 2);
  isa().attend_page(state.state(), q, 2, page.page(), shape, visible, nullptr, scratch.data());
  EXPECT_EQ(state.sum[0], 1.0f);
  EXPECT_EQ(state.acc[0], 5.0f);
  EXPECT_EQ(state.max[0], 1.0f);
  EXPECT_EQ(state.sum[1], 0.0f);
  EXPECT_EQ(state.max[1], -std::numeric_limits<float>::infinity());
}

TEST_P(AttentionPage, AQueryDoesNotDependOnTheOthers) {
  for (KvType type : all_kv_types()) expect_independent_queries({64, 80, type, type, 0});
}

TEST_P(AttentionPage, ElementsAreStoredAsTheReferenceStoresThem) {
  std::mt19937 random = rng(14);
  for (KvType type : all_kv_types()) {
    for (int dim : {1, 7, 8, 16, 33, 64, 100, 128}) {
      const AttentionShape shape{dim, dim, type, type, 0};
      TestPage actual(shape), expected(shape);
      std::vector<float> k(static_cast<size_t>(dim)), v(static_cast<size_t>(dim)), k2(k), v2(v);
      for (int slot : {0, 1, 31, 63}) {
        fill_normal(k, random, 100.0f);
        fill_normal(v, random, 1e-6f);
        k[0] = 1e9f;
        v[0] = -std::numeric_limits<float>::infinity();
        store_kv(isa(), actual.page(), shape, slot, k.data(), nullptr);
        store_kv(isa(), actual.page(), shape, slot, nullptr, v.data());
        store_kv(reference(), expected.page(), shape, slot, k.data(), v.data());
        load_kv(isa(), k.data(), v.data(), actual.page(), shape, slot);
        load_kv(reference(), k2.data(), v2.data(), expected.page(), shape, slot);
        EXPECT_EQ(k, k2);
        EXPECT_EQ(v, v2);
      }
      EXPECT_EQ(std::memcmp(actual.k.data(), expected.k.data(), actual.k.size()), 0);
      EXPECT_EQ(std::memcmp(actual.v.data(), expected.v.data(), actual.v.size()), 0);
      EXPECT_TRUE(actual.k.intact() && actual.v.intact());
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(AttentionPage);

}  // namespace
}  // namespace hearth::test
