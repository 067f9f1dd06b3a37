// Categories, classes and case mappings: the corners of the tables.
#include "lib/unicode/properties.h"

#include <gtest/gtest.h>

namespace hearth::unicode {
namespace {

TEST(Properties, Categories) {
  EXPECT_EQ(category('~'), CharCategory::kSymbol);
  EXPECT_EQ(category(0x2FFC), CharCategory::kSymbol) << "new in Unicode 15.1";
  EXPECT_EQ(category(0x3000), CharCategory::kSpace);
  EXPECT_EQ(category(0x1C), CharCategory::kControl);
  EXPECT_EQ(category(0x10FFFF), CharCategory::kUnassigned);
  EXPECT_EQ(category(0xFFFFFFFF), CharCategory::kUnassigned);
  EXPECT_EQ(general_category('\n'), GeneralCategory::kCc);
  EXPECT_EQ(category('\n'), CharCategory::kSpace);
  EXPECT_EQ(general_category(0x903), GeneralCategory::kMc);
  EXPECT_EQ(general_category(0x20DD), GeneralCategory::kMe);
  EXPECT_EQ(general_category(0xE000), GeneralCategory::kCo);
  EXPECT_EQ(general_category(0x2EE5D), GeneralCategory::kLo) << "the last one of Unicode 15.1";
  EXPECT_EQ(general_category(0x2EE5E), GeneralCategory::kCn);
}

TEST(Properties, ClassesAreThoseOfPython) {
  for (const uint32_t c : {0x09u, 0x0Du, 0x1Cu, 0x1Fu, 0x20u, 0x85u, 0xA0u, 0x2003u, 0x2028u, 0x3000u})
    EXPECT_TRUE(is_space(c)) << c;
  for (const uint32_t c : {0x08u, 0x1Bu, 0x200Bu, 0xFEFFu}) EXPECT_FALSE(is_space(c)) << c;
  EXPECT_TRUE(is_digit(0xB2) && !is_decimal(0xB2)) << "superscript two";
  EXPECT_TRUE(is_numeric(0x4E09) && is_alpha(0x4E09)) << "the ideograph three";
  EXPECT_TRUE(is_numeric(0xBC) && !is_digit(0xBC)) << "a quarter";
  EXPECT_TRUE(is_printable(' ') && is_printable(0xE9));
  EXPECT_FALSE(is_printable(0xA0) || is_printable(0xAD) || is_printable(0x378) || is_printable(0x7F));
  EXPECT_TRUE(is_lower(0xAA) && is_alpha(0xAA)) << "a letter without case that is Lowercase";
  EXPECT_TRUE(is_upper(0x24B6) && !is_alpha(0x24B6)) << "a symbol that is Uppercase";
  EXPECT_TRUE(is_title(0x1C5) && is_cased(0x1C5) && !is_upper(0x1C5));
  EXPECT_TRUE(is_case_ignorable('\'') && is_case_ignorable(0x301) && !is_case_ignorable('a'));
  EXPECT_TRUE(is_word('_') && !is_word('-'));
}

TEST(Properties, ValuesOfDigits) {
  EXPECT_EQ(decimal_value('7'), 7);
  EXPECT_EQ(decimal_value(0x669), 9);
  EXPECT_EQ(decimal_value(0x1D7CE), 0);
  EXPECT_EQ(decimal_value(0x1D7FF), 9) << "five alphabets of digits in a row";
  EXPECT_EQ(decimal_value(0xB2), -1);
}

std::vector<uint32_t> codes(const Mapped& mapped) {
  std::vector<uint32_t> out;
  for (const uint32_t code : mapped.codes) {
    if (code != 0) out.push_back(code);
  }
  return out;
}

TEST(Properties, CaseMappings) {
  using Codes = std::vector<uint32_t>;
  EXPECT_EQ(simple_lower(0x130), 0x69u);
  EXPECT_EQ(codes(to_lower(0x130)), (Codes{0x69, 0x307}));
  EXPECT_EQ(simple_lower(0x101), 0x101u);
  EXPECT_EQ(simple_lower(0x100), 0x101u);
  EXPECT_EQ(codes(to_upper(0xDF)), (Codes{'S', 'S'}));
  EXPECT_EQ(codes(to_title(0xDF)), (Codes{'S', 's'}));
  EXPECT_EQ(codes(to_upper(0x1C6)), Codes{0x1C4});
  EXPECT_EQ(codes(to_title(0x1C6)), Codes{0x1C5});
  EXPECT_EQ(codes(to_title(0x10D0)), Codes{0x10D0}) << "Georgian has no title case";
  EXPECT_EQ(codes(to_upper(0x10D0)), Codes{0x1C90});
  EXPECT_EQ(codes(to_upper(0xFB03)), (Codes{'F', 'F', 'I'}));
  EXPECT_EQ(codes(to_upper(0x10FFFF + 1)), Codes{0x110000});
}

}  // namespace
}  // namespace hearth::unicode
