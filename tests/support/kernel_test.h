// What tests of kernels share: every usable instruction set, guarded and misaligned buffers, seeded numbers.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace hearth::test {

/// Index of every instruction set but the reference; tests of one that the machine lacks are skipped.
class EveryIsa : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    isa_ = kernels::isa_table(GetParam());
    if (isa_ == nullptr) GTEST_SKIP() << "this machine cannot run " << kernels::isa_row(GetParam()).name;
    ASSERT_STREQ(isa_->isa, kernels::isa_row(GetParam()).name);
  }
  const kernels::KernelTable& isa() const { return *isa_; }
  const kernels::KernelTable& reference() const { return *kernels::isa_table(0); }

 private:
  const kernels::KernelTable* isa_ = nullptr;
};

inline std::string isa_test_name(const ::testing::TestParamInfo<int>& info) {
  return kernels::isa_row(info.param).name;
}

#define HEARTH_INSTANTIATE_EVERY_ISA(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, ::testing::Range(1, ::hearth::kernels::isa_count()), \
                           ::hearth::test::isa_test_name);                                  \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(suite)

/// n elements, misaligned by `shift` elements, between guards of 64 bytes that must not change.
template <typename T>
class Guarded {
 public:
  explicit Guarded(size_t n, size_t shift = 1) : n_(n), shift_(shift), bytes_(n * sizeof(T) + 2 * kGuard + 64) {
    std::memset(bytes_.data(), kFill, bytes_.size());
  }
  /// Aligned to 64 bytes, plus shift elements.
  T* data() {
    const auto base = reinterpret_cast<uintptr_t>(bytes_.data()) + kGuard;
    return reinterpret_cast<T*>((base + 63) / 64 * 64 - (shift_ != 0 ? 64 - shift_ * sizeof(T) : 0));
  }
  size_t size() const { return n_; }
  T& operator[](size_t i) { return data()[i]; }
  bool intact() {
    const auto* begin = reinterpret_cast<const unsigned char*>(data());
    const auto* end = reinterpret_cast<const unsigned char*>(data() + n_);
    for (const unsigned char* p = bytes_.data(); p < begin; ++p) {
      if (*p != kFill) return false;
    }
    for (const unsigned char* p = end; p < bytes_.data() + bytes_.size(); ++p) {
      if (*p != kFill) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 128;
  static constexpr unsigned char kFill = 0xff;  // floats of these bytes are NaN
  size_t n_, shift_;
  std::vector<unsigned char> bytes_;
};

inline std::mt19937 rng(uint32_t seed) {
  return std::mt19937(seed);
}

template <typename Buffer>
void fill_normal(Buffer& buffer, std::mt19937& random, float sigma = 1.0f) {
  std::normal_distribution<float> normal(0.0f, sigma);
  for (size_t i = 0; i < buffer.size(); ++i) buffer[i] = normal(random);
}

/// Both NaN, or equal infinities, or |a - b| <= absolute + relative * |b|.
inline ::testing::AssertionResult close(float a, float b, double relative, double absolute) {
  if (std::isnan(a) && std::isnan(b)) return ::testing::AssertionSuccess();
  if (a == b) return ::testing::AssertionSuccess();
  if (std::fabs(double{a} - double{b}) <= absolute + relative * std::fabs(double{b}))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << a << " against " << b << " (difference " << a - b << ")";
}

}  // namespace hearth::test
