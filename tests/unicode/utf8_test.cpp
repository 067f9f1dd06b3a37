// Lenient UTF-8, and byte strings as sequences of characters.
#include "lib/unicode/utf8.h"

#include <gtest/gtest.h>

#include "lib/unicode/characters.h"

namespace hearth {
namespace {

TEST(Utf8, CleaningMakesEveryTextClean) {
  for (const char* text : {"\xff", "\xc0\x80", "\xe2\x82", "\xf4\x90\x80\x80", "a\xed\xa0\x80z", "\xe0\x80\xaf"}) {
    EXPECT_TRUE(utf8::is_clean(utf8::cleaned(text))) << text;
  }
  EXPECT_FALSE(utf8::is_clean("\xc0\x80"));
  EXPECT_TRUE(utf8::is_clean("\xed\xa0\x80")) << "surrogates pass";
  EXPECT_EQ(utf8::incomplete_tail("a\xe2\x82"), 2u);
  EXPECT_EQ(utf8::incomplete_tail("a\xe2\x82\xac"), 0u);
  EXPECT_EQ(utf8::incomplete_tail("\x82"), 0u);
}

TEST(Characters, KeepEveryByte) {
  std::string text;
  for (int i = 0; i < 256; ++i) text += static_cast<char>(i);
  text += "\xc0\x80 \xe2\x82 \xe2\x82\xac \xed\xa0\x80 \xf0\x9f\x98\x80 \xf4\x90\x80\x80";
  std::string again;
  size_t n = 0;
  for (size_t at = 0; at < text.size(); ++n) {
    const unicode::Char c = unicode::decode(text, at);
    unicode::encode(again, c.code);
    at += c.size;
  }
  EXPECT_EQ(again, text);
  EXPECT_EQ(unicode::count(text), n);
}

TEST(Characters, BrokenBytesAreCharactersOfTheirOwn) {
  const std::string text = "a\xe2\x82\xac\xff\xe2\x82";
  EXPECT_EQ(unicode::decode(text, 1).code, 0x20ACu);
  EXPECT_EQ(unicode::decode(text, 4).code, 0xDCFFu);
  EXPECT_EQ(unicode::decode(text, 5).size, 1u);
  EXPECT_EQ(unicode::count(text), 5u);
  EXPECT_EQ(unicode::offset_of(text, 2), 4u);
  EXPECT_EQ(unicode::offset_of(text, 99), text.size());
  std::string out;
  unicode::encode(out, 0xD800);
  unicode::encode(out, 0x110000);
  EXPECT_EQ(out, "\xef\xbf\xbd\xef\xbf\xbd") << "no such characters";
}

}  // namespace
}  // namespace hearth
