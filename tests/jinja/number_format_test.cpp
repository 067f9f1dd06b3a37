// Numbers as Python prints them.
#include "lib/jinja/number_format.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/jinja/big_int.h"

namespace hearth::jinja {
namespace {

TEST(NumberFormat, FloatsAsReprHasThem) {
  const std::pair<double, const char*> cases[] = {{1.0, "1.0"},
                                                  {-0.0, "-0.0"},
                                                  {0.1, "0.1"},
                                                  {1e15, "1000000000000000.0"},
                                                  {1e16, "1e+16"},
                                                  {1e-4, "0.0001"},
                                                  {1e-5, "1e-05"},
                                                  {1.5e300, "1.5e+300"},
                                                  {123456.789, "123456.789"},
                                                  {5e-324, "5e-324"},
                                                  {1.0 / 3, "0.3333333333333333"},
                                                  {HUGE_VAL, "inf"},
                                                  {-HUGE_VAL, "-inf"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(float_repr(value), text);
  EXPECT_EQ(float_repr(std::nan("")), "nan");
}

TEST(NumberFormat, PresentationTypes) {
  EXPECT_EQ(float_digits(1234.5678, 'f', 2, false, false), "1234.57");
  EXPECT_EQ(float_digits(2.5, 'f', 0, false, false), "2") << "half to even";
  EXPECT_EQ(float_digits(2.5, 'f', 0, false, true), "2.");
  EXPECT_EQ(float_digits(12345.678, 'e', 3, false, false), "1.235e+04");
  EXPECT_EQ(float_digits(12345.678, 'e', 3, true, false), "1.235E+04");
  EXPECT_EQ(float_digits(0.0001, 'g', 6, false, false), "0.0001");
  EXPECT_EQ(float_digits(1e-5, 'g', 6, false, false), "1e-05");
  EXPECT_EQ(float_digits(100.0, 'g', 6, false, false), "100");
  EXPECT_EQ(float_digits(100.0, 'g', 6, false, true), "100.000");
}

TEST(NumberFormat, TextsAsFloatReadsThem) {
  EXPECT_EQ(parse_float(" 1_000.5 "), 1000.5);
  EXPECT_EQ(parse_float("-.5e1"), -5.0);
  EXPECT_EQ(parse_float("INF"), HUGE_VAL);
  EXPECT_EQ(parse_float("-Infinity"), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(parse_float("nan").value_or(0)));
  for (const char* text : {"", "1__0", "_1", "1_", "0x1", "1e", ".", "1 2", "infinit"})
    EXPECT_EQ(parse_float(text), std::nullopt) << text;
}

TEST(NumberFormat, GroupsOfDigits) {
  EXPECT_EQ(group_digits("1234567", ',', 3), "1,234,567");
  EXPECT_EQ(group_digits("123", ',', 3), "123");
  EXPECT_EQ(group_digits("12345678", '_', 4), "1234_5678");
}

TEST(NumberFormat, IntegersOfAnySize) {
  const auto big = BigInt::parse("340282366920938463463374607431768211456", 10);  // 2^128
  ASSERT_TRUE(big);
  EXPECT_EQ(big->to_string(16), "100000000000000000000000000000000");
  EXPECT_EQ(big->to_double(), 0x1p128);
  BigInt quotient, remainder;
  BigInt::divmod(big->negated(), BigInt(1000), quotient, remainder);
  EXPECT_EQ(quotient.to_string(), "-340282366920938463463374607431768212") << "floor";
  EXPECT_EQ(remainder.to_string(), "544");
  EXPECT_EQ(BigInt::parse(std::string(5000, '9'), 10), std::nullopt);
}

}  // namespace
}  // namespace hearth::jinja
