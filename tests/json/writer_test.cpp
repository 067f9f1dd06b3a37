// The JSON writer: commas, new lines, escapes and numbers; what it writes reads back.
#include "lib/json/writer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/json/reader.h"

namespace hearth::json {
namespace {

TEST(JsonWriter, CommasAndColonsComeByThemselves) {
  std::string out;
  Writer writer(out);
  writer.begin_object().key("a").begin_array().integer(1).number(2.5).begin_object().end_object().end_array();
  writer.key("b").string("x").key("c").boolean(true).key("d").null().key("e").raw("[0]").end_object();
  EXPECT_EQ(out, R"({"a":[1,2.5,{}],"b":"x","c":true,"d":null,"e":[0]})");
}

TEST(JsonWriter, IndentedItemsStandOnLinesOfTheirOwn) {
  std::string out;
  Writer writer(out, 2);
  writer.begin_object().key("a").begin_array().integer(1).integer(2).end_array();
  writer.key("b").begin_array().end_array().end_object();
  EXPECT_EQ(out, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}");
}

TEST(JsonWriter, NumbersReadBackEqual) {
  for (const double value : {0.1, -0.0, 1e300, 5e-324, 123456789.0, 1.0 / 3}) {
    std::string out;
    Writer(out).number(value);
    Reader reader(out);
    EXPECT_NE(reader.next(), Event::kError) << out;
    EXPECT_EQ(reader.number(), value) << out;
  }
  std::string out;
  Writer(out).begin_array().number(HUGE_VAL).number(std::nan("")).integer(INT64_MIN).end_array();
  EXPECT_EQ(out, "[null,null,-9223372036854775808]");
}

TEST(JsonWriter, StringsAreAlwaysValid) {
  std::string out;
  append_string(out, "\"\\\b\f\n\r\t\x01\x7f \u00e9 \xff \U0001F642");
  EXPECT_EQ(out, "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f \u00e9 \ufffd \U0001F642\"");
  out.clear();
  append_string(out, "\u00e9\U0001F642\x7f", true);
  EXPECT_EQ(out, R"("\u00e9\ud83d\ude42\u007f")");
}

TEST(JsonWriter, EveryByteStringReadsBackAsItsRepair) {
  std::string bytes;
  for (int i = 0; i < 128; ++i) bytes += static_cast<char>(i);
  for (const bool ascii : {false, true}) {
    std::string out;
    append_string(out, bytes, ascii);
    Reader reader(out);
    EXPECT_EQ(reader.next(), Event::kString);
    EXPECT_EQ(reader.text(), bytes);
  }
}

}  // namespace
}  // namespace hearth::json
