// NFC and NFD: cases of Unicode's NormalizationTest.txt, and what holds for every text.
#include "lib/unicode/normalize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "lib/unicode/utf8.h"

namespace hearth::unicode {
namespace {

using Codes = std::vector<uint32_t>;

std::string text_of(const Codes& codes) {
  std::string text;
  for (const uint32_t code : codes) utf8::append(text, code);
  return text;
}

Codes nfd(const Codes& codes) {
  Codes out;
  Decomposer decomposer;
  for (const uint32_t code : codes) decomposer.push(code, [&](uint32_t c) { out.push_back(c); });
  decomposer.finish([&](uint32_t c) { out.push_back(c); });
  return out;
}

struct Case {
  Codes source, nfc, nfd;
};

TEST(Normalize, CasesOfTheStandard) {
  const Case cases[] = {
      {{0x1E0A}, {0x1E0A}, {0x44, 0x307}},
      {{0x44, 0x307, 0x323}, {0x1E0C, 0x307}, {0x44, 0x323, 0x307}},
      {{0x212B}, {0xC5}, {0x41, 0x30A}},                   // a singleton
      {{0x344}, {0x308, 0x301}, {0x308, 0x301}},           // two marks
      {{0x958}, {0x915, 0x93C}, {0x915, 0x93C}},           // stays apart
      {{0x1F82}, {0x1F82}, {0x3B1, 0x313, 0x300, 0x345}},  // three steps
      {{0xAC01}, {0xAC01}, {0x1100, 0x1161, 0x11A8}},      // Hangul
      {{0x1100, 0x1161, 0x11A8}, {0xAC01}, {0x1100, 0x1161, 0x11A8}},
      {{0xAC00, 0x11A7}, {0xAC00, 0x11A7}, {0x1100, 0x1161, 0x11A7}},  // no tail
      {{0xAC01, 0x11A8}, {0xAC01, 0x11A8}, {0x1100, 0x1161, 0x11A8, 0x11A8}},
      {{0xF900}, {0x8C48}, {0x8C48}},  // a compatibility ideograph
      {{0x1D15E}, {0x1D157, 0x1D165}, {0x1D157, 0x1D165}},
      {{0x61, 0x301, 0x5AE, 0x315, 0x62}, {0xE1, 0x5AE, 0x315, 0x62}, {0x61, 0x5AE, 0x301, 0x315, 0x62}},
      {{0x9C7, 0x334, 0x9BE}, {0x9C7, 0x334, 0x9BE}, {0x9C7, 0x334, 0x9BE}},  // a mark between blocks
      {{0x9C7, 0x9BE}, {0x9CB}, {0x9C7, 0x9BE}},                              // two starters
      {{0x1112, 0x1161, 0x301, 0x11AB}, {0xD558, 0x301, 0x11AB}, {0x1112, 0x1161, 0x301, 0x11AB}},
      {{0x300, 0x41, 0x300}, {0x300, 0xC0}, {0x300, 0x41, 0x300}},
  };
  for (const Case& one : cases) {
    const std::string text = text_of(one.source);
    EXPECT_EQ(nfc(text), text_of(one.nfc)) << text;
    EXPECT_EQ(nfd(one.source), one.nfd) << text;
    EXPECT_EQ(nfc(text_of(one.nfd)), text_of(one.nfc)) << text;
    EXPECT_TRUE(one.source == one.nfc || !is_surely_nfc(text)) << text;
  }
}

TEST(Normalize, RandomTextsStayWhatTheyBecome) {
  std::mt19937 random(7);
  const uint32_t starts[] = {0x41, 0xC0, 0x300, 0x5B0, 0x9C0, 0x1100, 0x1160, 0x11A0, 0x1E00, 0x1F80, 0xAC00, 0xF900};
  for (int i = 0; i < 3000; ++i) {
    Codes codes;
    for (int n = 0; n < 12; ++n) codes.push_back(starts[random() % std::size(starts)] + random() % 40);
    const std::string composed = nfc(text_of(codes));
    EXPECT_EQ(nfc(composed), composed);
    EXPECT_EQ(nfc(text_of(nfd(codes))), composed);
    EXPECT_EQ(nfd(nfd(codes)), nfd(codes));
    EXPECT_TRUE(!is_surely_nfc(text_of(codes)) || composed == text_of(codes));
  }
}

TEST(Normalize, LongRowsOfMarksAreSorted) {
  Codes codes = {'a'};
  for (int i = 0; i < 100000; ++i) codes.push_back(i % 2 == 0 ? 0x301 : 0x323);
  Codes sorted = codes;
  std::stable_sort(sorted.begin() + 1, sorted.end(),
                   [](uint32_t a, uint32_t b) { return combining_class(a) < combining_class(b); });
  EXPECT_EQ(nfd(codes), sorted);
  EXPECT_EQ(combining_class(0x301), 230u);
  EXPECT_EQ(combining_class(0x323), 220u);
  EXPECT_EQ(combining_class('a'), 0u);
}

}  // namespace
}  // namespace hearth::unicode
