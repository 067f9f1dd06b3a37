// XXH64 against published values, and over pieces.
#include "lib/base/xxh64.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace hearth {
namespace {

uint64_t hash_of(std::string_view text) {
  return xxh64(std::as_bytes(std::span(text)));
}

TEST(Xxh64, PublishedValues) {
  EXPECT_EQ(hash_of(""), 0xEF46DB3751D8E999ull);
  EXPECT_EQ(hash_of("a"), 0xD24EC4F1A98C6E5Bull);
  EXPECT_EQ(hash_of("abc"), 0x44BC2CF5AD770999ull);
  EXPECT_EQ(hash_of("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1ull);
  EXPECT_EQ(hash_of("The quick brown fox jumps over the lazy dog"), 0x0B242D361FDA71BCull);
}

TEST(Xxh64, PiecesDoNotMatter) {
  std::vector<std::byte> bytes(200);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
  for (size_t n = 0; n <= bytes.size(); ++n) {
    const std::span<const std::byte> all(bytes.data(), n);
    for (const size_t step : {size_t{1}, size_t{7}, size_t{32}, size_t{45}}) {
      Xxh64 hash;
      for (size_t at = 0; at < n; at += step) hash.update(all.subspan(at, std::min(step, n - at)));
      ASSERT_EQ(hash.digest(), xxh64(all)) << n << " by " << step;
    }
  }
}

}  // namespace
}  // namespace hearth
