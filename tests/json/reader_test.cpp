// The JSON reader: events, values, and the place of every error.
#include "lib/json/reader.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearth::json {
namespace {

constexpr const char* kNames[] = {"{", "}", "[", "]", "key", "string", "integer", "real", "true", "false", "null"};

/// All events, with the texts of those that have one; "error" at the end of a broken document.
std::string events(std::string_view text, const ReadOptions& options = {}) {
  Reader reader(text, options);
  std::string out;
  for (Event event = reader.next(); event != Event::kEnd; event = reader.next()) {
    if (event == Event::kError) return out + "error";
    out += kNames[static_cast<size_t>(event)];
    const bool has_text = event >= Event::kKey && event <= Event::kReal;
    if (has_text) out += "(" + std::string(reader.text()) + ")";
    out += ' ';
  }
  return out;
}

std::string error(std::string_view text, const ReadOptions& options = {}) {
  Reader reader(text, options);
  Event event = reader.next();
  while (event != Event::kEnd && event != Event::kError) event = reader.next();
  if (event == Event::kEnd) return "none";
  EXPECT_EQ(reader.next(), Event::kError) << "an error stays";
  EXPECT_EQ(reader.error().code, ErrorCode::kFormat);
  return reader.error().message;
}

TEST(JsonReader, EventsComeInTheOrderOfTheText) {
  EXPECT_EQ(events(R"( {"a": [1, -2.5e3, "x"], "b": {}, "c": [], "a": null} )"),
            "{ key(a) [ integer(1) real(-2.5e3) string(x) ] key(b) { } key(c) [ ] key(a) null } ");
  EXPECT_EQ(events("true"), "true ");
  EXPECT_EQ(events("[false,[[]]]"), "[ false [ [ ] ] ] ");
}

TEST(JsonReader, Escapes) {
  EXPECT_EQ(events(R"("\"\\\/\b\f\n\r\tA")"), "string(\"\\/\b\f\n\r\tA) ");
  EXPECT_EQ(events(R"("\u00e9 \ud83d\ude42 \ud83d \ude42 \ud83dA")"),
            "string(\u00e9 \U0001F642 \ufffd \ufffd \ufffdA) ");
  EXPECT_EQ(events(R"({"a\n":"b"})"), "{ key(a\n) string(b) } ");
}

TEST(JsonReader, Numbers) {
  const auto first = [](std::string_view text) {
    Reader reader(text, {.python_numbers = true});
    EXPECT_NE(reader.next(), Event::kError) << text;
    return std::pair(reader.integer(), reader.number());
  };
  EXPECT_EQ(first("-9223372036854775808").first, INT64_MIN);
  EXPECT_EQ(first("9223372036854775808").first, std::nullopt) << "beyond 64 bits";
  EXPECT_EQ(first("9223372036854775808").second, 0x1p63);
  EXPECT_EQ(first("-0").first, 0);
  EXPECT_EQ(first("1.0").first, std::nullopt);
  EXPECT_EQ(first("0.1").second, 0.1);
  EXPECT_EQ(first("1e400").second, HUGE_VAL);
  EXPECT_EQ(first("-1e400").second, -HUGE_VAL);
  EXPECT_EQ(first("-1e-400").second, 0);
  EXPECT_TRUE(std::isnan(first("NaN").second));
  EXPECT_EQ(first("-Infinity").second, -HUGE_VAL);
  EXPECT_EQ(error("NaN"), "JSON, line 1, column 1: a value is expected");
}

TEST(JsonReader, ErrorsNameThePlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "1, column 1: a value is missing"},
      {"[1,\n 2 3]", "2, column 4: a comma or ] is expected"},
      {"{\"a\":1 \"b\"}", "1, column 8: a comma or } is expected"},
      {"{1:2}", "1, column 2: a string is expected"},
      {"{\"a\" 1}", "1, column 6: a colon is expected"},
      {"{\"a\":}", "1, column 6: a value is expected"},
      {"[1,]", "1, column 4: a value is expected"},
      {"{\"a\":1,}", "1, column 8: a string is expected"},
      {"01", "1, column 3: a number begins with 0"},
      {"1.", "1, column 3: digits are missing after the point"},
      {"1e+", "1, column 4: digits are missing in the exponent"},
      {"nul", "1, column 1: a value is expected"},
      {"1 2", "1, column 3: text after the document"},
      {"\"a", "1, column 3: a string does not end"},
      {"\"\\x\"", "1, column 3: an unknown escape"},
      {"\"\\u12g4\"", "1, column 4: a \\u escape needs four hexadecimal digits"},
      {"\"\\u12", "1, column 4: a \\u escape is cut short"},
      {"\"a\nb\"", "1, column 3: a control character in a string"},
      {"\"a\xff\"", "1, column 3: a string is not UTF-8"},
      {"]", "1, column 1: a value is expected"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(error(text), "JSON, line " + std::string(message)) << text;
}

TEST(JsonReader, BytesThatAreNotUtf8PassOnlyWhenAsked) {
  EXPECT_EQ(events("\"a\xff\"", {.any_bytes = true}), "string(a\xff) ");
  EXPECT_EQ(events("\"\xed\xa0\x80\""), "error") << "a surrogate in UTF-8";
  EXPECT_EQ(events("\"\xe2\x82\""), "error") << "a character cut short by the quote";
}

TEST(JsonReader, DepthIsBoundedAndNothingRecurses) {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(error(nested(400)), "none");
  EXPECT_EQ(error(nested(401)), "JSON, line 1, column 401: nested too deeply");
  EXPECT_EQ(error(nested(3), {.max_depth = 2}), "JSON, line 1, column 3: nested too deeply");
  EXPECT_EQ(error(std::string(1000000, '{')), "JSON, line 1, column 2: a string is expected");
  EXPECT_EQ(error(nested(1000000), {.max_depth = 2000000}), "none");
}

TEST(JsonReader, SkipGoesToTheEndOfWhatIsOpen) {
  Reader reader(R"({"a": [1, {"b": [2]}], "c": 3})");
  EXPECT_EQ(reader.next(), Event::kObject);
  EXPECT_EQ(reader.next(), Event::kKey);
  EXPECT_EQ(reader.next(), Event::kArray);
  EXPECT_EQ(reader.depth(), 2);
  EXPECT_TRUE(reader.skip());
  EXPECT_EQ(reader.depth(), 1);
  EXPECT_EQ(reader.next(), Event::kKey);
  EXPECT_EQ(reader.text(), "c");
  EXPECT_EQ(reader.offset(), 23u);
  EXPECT_EQ(reader.describe("not wanted"), "JSON, line 1, column 24: not wanted");
  EXPECT_EQ(reader.next(), Event::kInteger);
  Reader broken("[[1, 2");
  EXPECT_EQ(broken.next(), Event::kArray);
  EXPECT_FALSE(broken.skip());
}

}  // namespace
}  // namespace hearth::json
