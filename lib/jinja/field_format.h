// One formatted field: what % and str.format() have in common.
#pragma once

#include "lib/jinja/interpreter.h"

namespace hearth::jinja {

/// A field as both mini-languages describe it.
struct FieldSpec {
  std::string fill = " ";  ///< one character
  char align = '\0';       ///< '<', '>', '^', '='; 0: by type
  char sign = '-';         ///< '-', '+', ' '
  bool alternate = false;  ///< #
  char grouping = '\0';    ///< ',' or '_'
  int64_t width = 0;
  int64_t precision = -1;  ///< < 0: none
  char type = '\0';
};

constexpr int64_t kMaxFieldWidth = 1 << 20;

/// Digits of an integer for d, x, X, o, b, with sign and prefix apart. Value is an int or bool.
struct NumberText {
  std::string sign, prefix, digits;
};
NumberText integer_text(const Value& value, const FieldSpec& spec);
/// The same for a float and the types e, f, g, %, in either case, and 0 (repr-like).
NumberText float_text(double value, const FieldSpec& spec);
/// Sign, prefix and digits, filled up to the width.
void put_number(Text& out, const NumberText& number, const FieldSpec& spec);
/// A text cut to the precision and filled up to the width.
void put_text(Text& out, const Text& text, const FieldSpec& spec);

}  // namespace hearth::jinja
