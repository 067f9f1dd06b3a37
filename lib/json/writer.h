// Writer: JSON text from calls in the order of the document; commas and colons come by themselves.
//
//   std::string out;
//   json::Writer writer(out);
//   writer.begin_object().key("tokens").begin_array().integer(1).integer(2).end_array().end_object();
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::json {

/// Appends the escape of a character: \n and its kin, or \u and four digits (twice beyond U+FFFF).
void append_escape(std::string& out, uint32_t code);

/// Appends a string with its quotes. What is not UTF-8 becomes U+FFFD; with `ascii`, what is not ASCII is escaped.
void append_string(std::string& out, std::string_view text, bool ascii = false);

/// The calls must make a document: a key before every value of an object, an end for every begin.
class Writer {
 public:
  /// Appends to `out`, which must live as long. `indent` > 0: spaces per level, one item a line.
  explicit Writer(std::string& out, int indent = 0) : out_(out), indent_(indent) {}

  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view name);
  Writer& string(std::string_view text);
  Writer& integer(int64_t value);
  /// The shortest number that reads back as `value`; null where it is not finite.
  Writer& number(double value);
  Writer& boolean(bool value) { return word(value ? "true" : "false"); }
  Writer& null() { return word("null"); }
  /// A value that is JSON already.
  Writer& raw(std::string_view json) { return word(json); }

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  Writer& word(std::string_view text);
  /// Before a key or a value: comma and new line, unless a key stands before it.
  void separate();
  void new_line();

  std::string& out_;
  const int indent_;
  size_t depth_ = 0;
  bool is_first_ = true;   // nothing stands in the innermost bracket yet
  bool after_key_ = true;  // no comma: a key, or nothing at all, stands before
};

}  // namespace hearth::json
