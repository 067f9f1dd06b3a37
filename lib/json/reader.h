// Reader: one JSON document (RFC 8259) as a sequence of events, in one pass and without a tree. For hostile input:
// depth is bounded, nothing recurses, and an error names line and column.
//
//   json::Reader reader(text);
//   for (json::Event event = reader.next(); event != json::Event::kEnd; event = reader.next()) {
//     if (event == json::Event::kError) return reader.error();
//     if (event == json::Event::kKey && reader.text() == "dtype") ...
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/result.h"

namespace hearth::json {

enum class Event : uint8_t {
  kObject,
  kEndObject,
  kArray,
  kEndArray,
  kKey,      ///< text(); its value follows. Equal keys are the caller's business
  kString,   ///< text()
  kInteger,  ///< a number without point and exponent: integer(), number(), text()
  kReal,     ///< any other number: number(), text()
  kTrue,
  kFalse,
  kNull,
  kEnd,    ///< the document was whole; again and again
  kError,  ///< error(); again and again
};

struct ReadOptions {
  int max_depth = 400;          ///< arrays and objects inside each other
  bool python_numbers = false;  ///< NaN, Infinity and -Infinity, as Python writes them, are numbers (kReal)
  bool any_bytes = false;       ///< strings may hold bytes that are not UTF-8
};

class Reader {
 public:
  /// `text` must live as long as the reader.
  explicit Reader(std::string_view text, const ReadOptions& options = {}) : text_(text), options_(options) {}

  Event next();
  /// After kObject or kArray: goes to its end, which is the last event then. False after an error.
  bool skip();

  /// Of the last event: a string without its quotes and escapes, or a number as it is written. Valid until next().
  std::string_view text() const { return value_; }
  /// nullopt for what does not fit in 64 bits, and for kReal.
  std::optional<int64_t> integer() const;
  /// The nearest double; infinite when it is too large.
  double number() const;

  /// Arrays and objects that are open.
  int depth() const { return static_cast<int>(open_.size()); }
  /// Bytes before the last event, or before the place of the error.
  size_t offset() const { return begin_; }
  /// kFormat: "JSON, line 1, column 5: ..." (columns are bytes). Only after kError.
  Error error() const { return {ErrorCode::kFormat, describe(problem_)}; }
  /// The same words about the last event, for what a caller finds wrong with it.
  std::string describe(std::string_view problem) const;

 private:
  enum class State : uint8_t { kValue, kFirstItem, kFirstKey, kNextKey, kAfterValue, kDone, kFailed };

  Event fail(const char* problem) { return fail_at(pos_, problem); }
  Event fail_at(size_t pos, const char* problem);
  void skip_space();
  bool accept(char c);
  bool accept(std::string_view word);
  Event read_value();
  Event read_word(std::string_view word, Event event);
  Event read_number();
  Event read_string(Event event);
  Event read_key();
  Event open(char bracket, Event event, State state);
  Event close(char bracket);
  Event after_value();
  bool read_escape();
  bool read_hex4(uint32_t& out);
  bool is_utf8(size_t begin);
  size_t skip_digits();
  void value_done() { state_ = open_.empty() ? State::kDone : State::kAfterValue; }

  std::string_view text_;
  ReadOptions options_;
  State state_ = State::kValue;
  size_t pos_ = 0, begin_ = 0;
  std::string open_;        // brackets of what is open
  std::string_view value_;  // in text_ or in unescaped_
  std::string unescaped_;
  bool is_integer_ = false;
  const char* problem_ = "";
};

}  // namespace hearth::json
