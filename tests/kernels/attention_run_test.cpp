// attend_run: every instruction set against the reference, over ranges, holes, head sizes and extremes.
#include <memory>

#include "tests/support/attention_test.h"

namespace hearth::test {
namespace {

using kernels::PageRun;

/// Pages, queries and ranges of one call.
struct RunCase {
  RunCase(const AttentionShape& shape_, int nq_, int n_pages, uint32_t seed)
      : shape(shape_), nq(nq_), random(rng(seed)) {
    q.resize(static_cast<size_t>(nq) * static_cast<size_t>(shape.k_dim));
    fill_normal(q, random, query_sigma(shape.k_dim));
    for (int p = 0; p < n_pages; ++p) held.push_back(~uint64_t{0});
    // A prompt in the middle of its context: causal, the last tokens of the run.
    for (int i = 0; i < nq; ++i) {
      first.push_back(0);
      end.push_back(std::max(1, n_pages * kPageTokens - nq + i + 1));
    }
  }
  void fill() {
    for (const uint64_t bits : held) {
      storage.push_back(std::make_unique<TestPage>(shape));
      fill_page(*storage.back(), shape, bits, random);
      pages.push_back(storage.back()->page());
    }
  }
  PageRun run() const { return {pages.data(), held.data(), static_cast<int>(pages.size()), first.data(), end.data()}; }

  int n_tokens() const { return static_cast<int>(pages.size()) * kPageTokens; }

  AttentionShape shape;
  int nq;
  std::mt19937 random;
  std::vector<float> q;
  std::vector<int32_t> first, end;
  std::vector<uint64_t> held;
  std::vector<std::unique_ptr<TestPage>> storage;
  std::vector<KvPage> pages;
};

/// Standard deviation of the error that an even distribution over one step of codes makes, for a largest number and its
/// code.
double code_error(double largest, double codes) {
  return largest / codes / std::sqrt(12.0);
}

/// Deviation of a score from rounding queries and keys to 16-bit codes whose products add up in 32 bits. Elements reach
/// 4.5 standard deviations in queries and 12 in keys (four times as large in one place).
double score_error(int k_dim, double sharpness = 1) {
  const double codes = std::min(32767.0, std::sqrt(0x1p31 / k_dim));
  const double sigma = sharpness * double{query_sigma(k_dim)};
  return std::sqrt(double(k_dim)) * sigma * code_error(4.5 + 12, codes);
}

/// Relative mean square error of attention over n tokens from codes: of scores, of values (12 bits, elements up
/// to 4.5), and of weights (13 bits; where one of them counts, the errors of all).
double run_nmse(int k_dim, int n_tokens, double sharpness = 1) {
  const double score = score_error(k_dim, sharpness), value = code_error(4.5, 4095),
               weight = std::sqrt(double(n_tokens)) * code_error(1, 8191);
  return score * score + value * value + weight * weight;
}

class AttentionRun : public EveryIsa {
 protected:
  void attend(const kernels::KernelTable& table, RunCase& c, TestState& state) {
    Guarded<unsigned char> scratch(
        static_cast<size_t>(kernels::attend_run_scratch_bytes(c.nq, c.shape.k_dim, c.shape.v_dim)), 0);
    table.attend_run(state.state(), c.q.data(), c.nq, c.run(), c.shape, scratch.data());
    EXPECT_TRUE(scratch.intact() && state.intact());
  }
  /// Fills the pages and runs both ways; the result must be the same to the rounding of codes.
  void check(RunCase& c, double sharpness = 1) {
    c.fill();
    TestState actual(c.nq, c.shape.v_dim), expected(c.nq, c.shape.v_dim);
    attend(isa(), c, actual);
    attend(reference(), c, expected);
    EXPECT_TRUE(std::string(isa().isa) != "portable" || actual.same_as(expected));  // that one promises the bits
    for (size_t i = 0; i < actual.max.size(); ++i) {
      EXPECT_TRUE(close(actual.max[i], expected.max[i], 0, 6 * score_error(c.shape.k_dim, sharpness))) << i;
    }
    EXPECT_LE(attention_nmse(actual, expected, c.shape.v_dim), run_nmse(c.shape.k_dim, c.n_tokens(), sharpness));
  }
};

constexpr AttentionShape kUsual{64, 64, KvType::kF16, KvType::kF16, 0};

TEST_P(AttentionRun, CausalPrompts) {
  for (int nq : {1, 2, 15, 16, 17, 31, 32, 33, 64, 100, 256}) {
    for (int n_pages : {1, 2, 5}) {
      RunCase c(kUsual, nq, n_pages, static_cast<uint32_t>(nq * 10 + n_pages));
      SCOPED_TRACE(std::to_string(nq) + " queries, " + std::to_string(n_pages) + " pages");
      check(c);
    }
  }
}

TEST_P(AttentionRun, HeadSizesAndTypes) {
  const std::pair<int, int> sizes[] = {{128, 128}, {80, 80}, {96, 96},   {192, 128}, {40, 24},
                                       {1, 1},     {7, 5},   {256, 256}, {576, 512}};
  for (const auto& [k_dim, v_dim] : sizes) {
    for (KvType type : all_kv_types()) {
      RunCase c({k_dim, v_dim, type, type, 0}, 37, 2, static_cast<uint32_t>(k_dim));
      SCOPED_TRACE(std::to_string(k_dim) + " " + std::to_string(v_dim));
      check(c);
    }
  }
}

TEST_P(AttentionRun, SlidingWindows) {
  RunCase c(kUsual, 70, 6, 3);
  for (size_t i = 0; i < c.first.size(); ++i) c.first[i] = std::max(0, c.end[i] - 100);
  check(c);
}

TEST_P(AttentionRun, Holes) {
  RunCase c(kUsual, 70, 4, 4);
  c.held = {0x00ffff0000ff1234u, 0, ~uint64_t{0}, 0x0fffffffffffffffu};
  check(c);
}

TEST_P(AttentionRun, QueriesThatSeeNothing) {
  RunCase c(kUsual, 40, 3, 5);
  for (size_t i = 0; i < 40; i += 3) c.end[i] = c.first[i] = 70;
  check(c);
}

TEST_P(AttentionRun, SoftCap) {
  AttentionShape shape = kUsual;
  shape.soft_cap = 2.0f;
  RunCase c(shape, 40, 3, 6);
  check(c);
}

TEST_P(AttentionRun, SharpAndFlatScores) {
  for (float sharpness : {1e-6f, 0.01f, 10.0f, 100.0f}) {
    RunCase c(kUsual, 40, 3, 7);
    for (float& x : c.q) x *= sharpness;
    SCOPED_TRACE(sharpness);
    check(c, double{sharpness});
  }
}

TEST_P(AttentionRun, ContinuesAState) {
  RunCase c(kUsual, 40, 4, 8);
  c.fill();
  TestState whole(c.nq, 64), parts(c.nq, 64);
  attend(reference(), c, whole);
  RunCase front(kUsual, 40, 2, 8), back(kUsual, 40, 2, 8);
  front.end = c.end;
  front.pages = {c.pages[0], c.pages[1]};
  back.pages = {c.pages[2], c.pages[3]};
  for (size_t i = 0; i < 40; ++i) {
    back.first[i] = c.first[i] - 128;
    back.end[i] = c.end[i] - 128;
  }
  attend(isa(), front, parts);
  attend(isa(), back, parts);
  EXPECT_LE(attention_nmse(parts, whole, 64), run_nmse(64, c.n_tokens()));
}

/// Sums that are given are continued in a unit of the kernel's own, and come back in that of the largest score.
TEST_P(AttentionRun, StatesStayWhereNothingIsSeen) {
  for (const int v_dim : {64, 40}) {
    AttentionShape shape = kUsual;
    shape.v_dim = v_dim;
    RunCase c(shape, 40, 3, 12);
    for (size_t i = 0; i < 40; i += 3) c.end[i] = c.first[i] = 70;
    c.fill();
    TestState once(c.nq, v_dim), twice(c.nq, v_dim);
    attend(isa(), c, once);
    attend(isa(), c, twice);
    c.end.assign(40, 0);
    attend(isa(), c, twice);
    EXPECT_TRUE(twice.same_as(once)) << v_dim;
  }
}

/// Page after page has larger scores than all before, by little and by much.
TEST_P(AttentionRun, ScoresThatGrow) {
  for (const float growth : {1.0f, 3.0f, 30.0f}) {
    RunCase c(kUsual, 40, 6, 13);
    c.fill();
    std::vector<float> k(64), direction(64, 0.125f);
    for (size_t i = 0; i < c.q.size(); ++i) c.q[i] = 0.2f * c.q[i] + direction[i % 64];
    for (int p = 0; p < 6; ++p) {
      for (int t = 0; t < kPageTokens; ++t) {
        load_kv(isa(), k.data(), nullptr, c.pages[static_cast<size_t>(p)], c.shape, t);
        for (float& x : k) x = 0.2f * x + growth * static_cast<float>(p) * 0.125f;
        store_kv(isa(), c.pages[static_cast<size_t>(p)], c.shape, t, k.data(), nullptr);
      }
    }
    TestState actual(c.nq, 64), expected(c.nq, 64);
    attend(isa(), c, actual);
    attend(reference(), c, expected);
    EXPECT_LE(attention_nmse(actual, expected, 64), growth < 30 ? 1e-7 : 1e-5) << growth;  // codes of scores to 150
  }
}

TEST_P(AttentionRun, NumbersWithoutCodesFallBackToFloats) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {inf, 1e30f}) {
    RunCase c({64, 64, KvType::kF32, KvType::kF32, 0}, 20, 3, 9);
    c.fill();
    std::vector<float> v(64, 1.0f);
    v[3] = bad;
    store_kv(isa(), c.pages[1], c.shape, 5, nullptr, v.data());
    TestState actual(c.nq, 64), expected(c.nq, 64);
    attend(isa(), c, actual);
    attend(reference(), c, expected);
    for (size_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(close(actual.acc[i * 64 + 3], expected.acc[i * 64 + 3], 1e-2f, 0));
      EXPECT_TRUE(
          close(actual.acc[i * 64 + 4] / actual.sum[i], expected.acc[i * 64 + 4] / expected.sum[i], 1e-3f, 1e-3f));
    }
  }
  RunCase c(kUsual, 20, 2, 10);
  c.q[5 * 64 + 7] = std::numeric_limits<float>::quiet_NaN();
  c.fill();
  TestState actual(c.nq, 64), expected(c.nq, 64);
  attend(isa(), c, actual);
  attend(reference(), c, expected);
  EXPECT_TRUE(close(actual.acc[4 * 64], expected.acc[4 * 64], 1e-4f, 1e-4f));
}

/// Neither on their number nor on what they see: a page that one sees whole, others of its tile see in part. Weights
/// are integers, so a score's last bit shows in few of them, and many are looked at.
TEST_P(AttentionRun, AQueryDoesNotDependOnTheOthers) {
  for (uint32_t seed = 11; seed < 31; ++seed) {
    RunCase c(kUsual, 77, 3, seed);
    c.fill();
    TestState together(c.nq, 64);
    attend(isa(), c, together);
    for (size_t i = seed % 2; i < 77; i += 2) {
      RunCase one(kUsual, 1, 3, seed);
      one.q.assign(c.q.begin() + static_cast<long>(i) * 64, c.q.begin() + static_cast<long>(i + 1) * 64);
      one.pages = c.pages;
      one.first = {c.first[i]};
      one.end = {c.end[i]};
      TestState alone(1, 64);
      attend(isa(), one, alone);
      EXPECT_EQ(alone.max[0], together.max[i]) << i;
      EXPECT_EQ(alone.sum[0], together.sum[i]) << i;
      EXPECT_TRUE(std::equal(alone.acc.data(), alone.acc.data() + 64, together.acc.data() + i * 64)) << i;
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(AttentionRun);

}  // namespace
}  // namespace hearth::test
