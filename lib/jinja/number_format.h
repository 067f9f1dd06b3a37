// Numbers as Python prints them: repr of floats, and the fields of % and str.format().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::jinja {

/// repr(): shortest digits that read back equal, with an exponent below 1e-4 and from 1e16.
std::string float_repr(double value);

/// Digits of |value| for the presentation types e, f, g (case given by `upper`); precision at most
/// kMaxPrecision. `alternate` keeps the point and, for g, trailing zeros.
std::string float_digits(double value, char type, int precision, bool upper, bool alternate);
constexpr int kMaxPrecision = 5000;

/// float() of a text: Python's syntax (spaces around, underscores, inf, nan); nullopt when it is not one.
std::optional<double> parse_float(std::string_view text);

/// Inserts `separator` every `group` digits into the integer part of a digit string.
std::string group_digits(std::string_view digits, char separator, size_t group);

}  // namespace hearth::jinja
