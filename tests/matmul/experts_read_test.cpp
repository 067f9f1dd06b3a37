// A mixture of experts reads the experts that were chosen and no others: theirs is the only memory that may be read.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "lib/matmul/matmul.h"
#include "tests/kernels/random_blocks.h"

namespace hearth {
namespace {

constexpr int kExperts = 8;
constexpr int64_t kCols = 1024, kPage = 65536;

struct FreeAligned {
  void operator()(std::byte* p) const { std::free(p); }
};

class ExpertsRead : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const kernels::TypeKernels& traits = kernels::kernels().types[GetParam()];
    one_ = {nullptr, static_cast<kernels::TypeIndex>(GetParam()), 64, kCols,
            kCols / traits.block_size * traits.block_bytes};
    stride_ = (one_.rows * one_.row_bytes + kPage - 1) / kPage * kPage;
    void* memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    data_ = static_cast<std::byte*>(memory);
    one_.data = data_;
  }
  void TearDown() override { munmap(data_, bytes()); }
  size_t bytes() const { return static_cast<size_t>(kExperts * stride_); }

  Matrix one_;
  int64_t stride_ = 0;
  std::byte* data_ = nullptr;
};

TEST_P(ExpertsRead, OnlyTheChosen) {
  for (int e = 0; e < kExperts; ++e) {
    if (e == 2 || e == 5) continue;
    ASSERT_EQ(mprotect(data_ + e * stride_, static_cast<size_t>(stride_), PROT_NONE), 0);
  }
  std::mt19937 random(1);
  const auto x = testing::random_floats(20 * kCols, random);
  auto pool = Parallel::create(2);
  ASSERT_TRUE(pool.ok());
  const uint64_t scratch_bytes = MatmulScratch::bytes_needed(40, kCols, 2);
  const std::unique_ptr<std::byte, FreeAligned> memory(
      static_cast<std::byte*>(std::aligned_alloc(64, (scratch_bytes + 63) / 64 * 64)));
  MatmulScratch scratch;
  scratch.bind(memory.get(), 40, kCols, 2);
  for (const bool exact : {false, true}) {
    for (const int32_t n_tokens : {1, 20}) {
      std::vector<int32_t> expert, row;
      for (int32_t t = 0; t < n_tokens; ++t) expert.insert(expert.end(), {2, 5}), row.insert(row.end(), {t, t});
      std::vector<float> out(static_cast<size_t>(2 * n_tokens * one_.rows), 1.0f);
      const Product product{&one_, out.data(), one_.rows, nullptr, {}, stride_};
      matmul_experts({pool->get(), &scratch, false, exact}, {x.data(), kCols, n_tokens}, {expert, row, kExperts},
                     {&product, 1});
      EXPECT_EQ(std::count(out.begin(), out.end(), 0.0f), static_cast<std::ptrdiff_t>(out.size()));  // of zero blocks
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExpertsRead, ::testing::Range(0, kernels::kTypeCount),
                         [](const auto& type) { return std::string(testing::kTypeNames[type.param]); });

}  // namespace
}  // namespace hearth
