// std::from_chars, or strtod() in the locale "C" where the standard library (libc++ before 20) has it for integers
// only.
#include "lib/base/parse_double.h"

#if !defined(__cpp_lib_to_chars)
#include <locale.h>
#include <stdlib.h>

#include <cmath>
#include <string>
#endif

namespace hearth {

#if defined(__cpp_lib_to_chars)

std::from_chars_result parse_double(std::string_view text, double& value) {
  return std::from_chars(text.data(), text.data() + text.size(), value);
}

#else

namespace {

/// Length of the number at the front: digits, a point, digits, and an exponent that has digits.
size_t number_size(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - begin;
  };
  size_t n_digits = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    n_digits += digits();
  }
  if (n_digits == 0) return 0;
  const size_t end = at;
  if (at >= text.size() || (text[at] != 'e' && text[at] != 'E')) return end;
  ++at;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
  return digits() > 0 ? at : end;
}

}  // namespace

std::from_chars_result parse_double(std::string_view text, double& value) {
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string number(text.substr(0, number_size(text)));
  const char* end = text.data() + number.size();
  if (number.empty() || c_locale == nullptr) return {text.data(), std::errc::invalid_argument};
  const double read = strtod_l(number.c_str(), nullptr, c_locale);
  const bool too_small = read == 0 && number.find_first_of("123456789") < number.find_first_of("eE");
  if (std::isinf(read) || too_small) return {end, std::errc::result_out_of_range};
  value = read;
  return {end, std::errc()};
}

#endif

}  // namespace hearth
