// Float formatting and parsing on std::to_chars and parse_double(), which know no locale.
#include "lib/jinja/number_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "lib/base/concat.h"
#include "lib/base/parse_double.h"

namespace hearth::jinja {
namespace {

std::string exponent_text(int exponent, char letter) {
  std::string out(1, letter);
  out += exponent < 0 ? '-' : '+';
  const std::string digits = std::to_string(std::abs(exponent));
  if (digits.size() < 2) out += '0';
  return out + digits;
}

// "d.ddde+XX" into digits without the point and the decimal exponent.
std::string split_scientific(std::string_view text, int& exponent) {
  const size_t e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  const std::string_view power = text.substr(e + (text[e + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  return digits;
}

// Places the point into `digits`, whose first digit stands for 10^exponent.
std::string place_point(const std::string& digits, int exponent) {
  if (exponent < 0) return concat("0.", std::string(static_cast<size_t>(-exponent - 1), '0'), digits);
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return digits + std::string(whole - digits.size(), '0');
  return concat(digits.substr(0, whole), ".", digits.substr(whole));
}

std::string general(double value, int precision, bool upper, bool alternate) {
  precision = std::max(precision, 1);
  char buffer[kMaxPrecision + 64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific, precision - 1);
  int exponent = 0;
  std::string digits = split_scientific({buffer, static_cast<size_t>(end.ptr - buffer)}, exponent);
  const bool scientific = exponent < -4 || exponent >= precision;
  if (!alternate) digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.empty()) digits = "0";
  if (!scientific) {
    std::string out = place_point(digits, exponent);
    if (alternate && out.find('.') == std::string::npos) out += '.';
    return out;
  }
  std::string out = digits.substr(0, 1);
  if (digits.size() > 1 || alternate) out += "." + digits.substr(1);
  return out + exponent_text(exponent, upper ? 'E' : 'e');
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific);
  int exponent = 0;
  const std::string digits = split_scientific({buffer, static_cast<size_t>(end.ptr - buffer)}, exponent);
  std::string out = std::signbit(value) ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    return out + exponent_text(exponent, 'e');
  }
  out += place_point(digits, exponent);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string float_digits(double value, char type, int precision, bool upper, bool alternate) {
  if (std::isnan(value)) return upper ? "NAN" : "nan";
  if (std::isinf(value)) return upper ? "INF" : "inf";
  value = std::fabs(value);
  precision = std::clamp(precision, 0, kMaxPrecision);
  if (type == 'g') return general(value, precision, upper, alternate);
  std::string buffer(static_cast<size_t>(precision) + 400, '\0');
  const auto format = type == 'e' ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, precision);
  buffer.resize(static_cast<size_t>(end.ptr - buffer.data()));
  if (alternate && precision == 0) {
    const size_t at = std::min(buffer.find('e'), buffer.size());
    buffer.insert(at, ".");
  }
  if (upper) std::replace(buffer.begin(), buffer.end(), 'e', 'E');
  return buffer;
}

std::optional<double> parse_float(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || (c >= 9 && c <= 13); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      clean += static_cast<char>(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
      continue;
    }
    const auto digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    if (i == 0 || !digit(i - 1) || !digit(i + 1)) return std::nullopt;
  }
  bool negative = false;
  std::string_view rest = clean;
  if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  double value = 0;
  if (rest == "inf" || rest == "infinity") {
    value = HUGE_VAL;
  } else if (rest == "nan") {
    value = std::nan("");
  } else {
    if (rest.empty() || !((rest.front() >= '0' && rest.front() <= '9') || rest.front() == '.')) return std::nullopt;
    const auto end = parse_double(rest, value);
    if (end.ptr != rest.data() + rest.size()) return std::nullopt;
    if (end.ec == std::errc::result_out_of_range) {
      const size_t e = rest.find('e');
      value = e != std::string_view::npos && e + 1 < rest.size() && rest[e + 1] == '-' ? 0.0 : HUGE_VAL;
    } else if (end.ec != std::errc()) {
      return std::nullopt;
    }
  }
  return negative ? -value : value;
}

std::string group_digits(std::string_view digits, char separator, size_t group) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % group == 0) out += separator;
    out += digits[i];
  }
  return out;
}

}  // namespace hearth::jinja
