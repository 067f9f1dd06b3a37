// Text of files in messages: one printable line, short.
#include "lib/base/quote.h"

#include <gtest/gtest.h>

#include "lib/base/guard.h"

namespace hearth {
namespace {

TEST(OneLine, KeepsWhatPrints) {
  for (const char* text : {"", "plain text", "\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x99\x82", "a\\b'c"}) {
    EXPECT_TRUE(is_one_line(text)) << text;
    EXPECT_EQ(one_line(text), text);
  }
}

TEST(OneLine, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(one_line("a\nb\r\t\x1b[31m\x7f"), "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(one_line("\xc2\x9b"
                     "31m"),
            "\\xc2\\x9b31m");                              // C1: another way to begin an escape sequence
  EXPECT_EQ(one_line("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(one_line("\xff\xc3"), "\\xff\\xc3");           // not UTF-8
  EXPECT_EQ(one_line("\xc0\x8a\xed\xa0\x80"), "\\xc0\\x8a\\xed\\xa0\\x80");  // overlong, a surrogate
}

TEST(OneLine, CutsWhatIsLong) {
  for (const std::string& text : {std::string(600, 'x'), std::string(300, '\n'), std::string(511, 'x') + "\n"}) {
    EXPECT_FALSE(is_one_line(text));
    const std::string line = one_line(text);
    EXPECT_TRUE(is_one_line(line)) << line.size();
    EXPECT_TRUE(line.ends_with("..."));
  }
  EXPECT_TRUE(is_one_line(std::string(511, 'x')));
}

TEST(OneLine, EveryErrorOfACallIsSo) {
  const auto failed = guard([]() -> Result<int> { return Error{ErrorCode::kFormat, "a\nb" + std::string(1000, 'c')}; });
  EXPECT_TRUE(is_one_line(failed.error().message));
  EXPECT_EQ(failed.error().code, ErrorCode::kFormat);
}

}  // namespace
}  // namespace hearth
