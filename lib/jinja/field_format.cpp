// Numbers and texts in fields: sign, prefix, grouping, filling.
#include "lib/jinja/field_format.h"

#include <algorithm>
#include <cmath>

#include "lib/base/concat.h"
#include "lib/jinja/number_format.h"
#include "lib/jinja/string_ops.h"
#include "lib/unicode/characters.h"

namespace hearth::jinja {
namespace {

std::string sign_text(bool negative, char sign) {
  if (negative) return "-";
  return sign == '-' ? "" : std::string(1, sign);
}

// Groups the digits before the point.
std::string group(const std::string& digits, char separator, size_t size) {
  const size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  return group_digits(std::string_view(digits).substr(0, whole), separator, size) + digits.substr(whole);
}

}  // namespace

NumberText integer_text(const Value& value, const FieldSpec& spec) {
  BigInt big = value.is(Kind::kBigInt) ? value.as<BigNumber>().value : BigInt(value.as_int());
  NumberText out;
  out.sign = sign_text(big.is_negative(), spec.sign);
  if (big.is_negative()) big = big.negated();
  const char type = static_cast<char>(spec.type | 0x20);
  const uint32_t base = type == 'x' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  out.digits = big.to_string(base);
  if (spec.alternate && base != 10) out.prefix = concat("0", spec.type);
  if (spec.type == 'X') {
    for (char& c : out.digits) c = static_cast<char>(c >= 'a' ? c - 32 : c);
  }
  if (spec.grouping) out.digits = group_digits(out.digits, spec.grouping, base == 10 ? 3 : 4);
  return out;
}

NumberText float_text(double value, const FieldSpec& spec) {
  NumberText out;
  out.sign = sign_text(std::signbit(value) && !std::isnan(value), spec.sign);
  const double magnitude = std::fabs(value);
  const int precision =
      static_cast<int>(std::clamp<int64_t>(spec.precision < 0 ? 6 : spec.precision, 0, kMaxPrecision));
  const bool upper = spec.type >= 'A' && spec.type <= 'Z';
  switch (spec.type | 0x20) {
    case 'e':
    case 'f':
      out.digits = float_digits(magnitude, static_cast<char>(spec.type | 0x20), precision, upper, spec.alternate);
      break;
    case 'g':
    case 'n' | 0x20: out.digits = float_digits(magnitude, 'g', precision, upper, spec.alternate); break;
    case '%' | 0x20: out.digits = float_digits(magnitude * 100, 'f', precision, false, spec.alternate) + "%"; break;
    default:
      if (spec.precision < 0) {
        out.digits = float_repr(magnitude);
      } else {
        out.digits = float_digits(magnitude, 'g', precision, false, spec.alternate);
        const bool plain = out.digits.find_first_not_of("0123456789") == std::string::npos;
        if (plain) {
          // Python's default type keeps at least one digit after the point, or goes to exponents a digit earlier.
          out.digits = static_cast<int>(out.digits.size()) >= std::max(precision, 1) && magnitude != 0
                           ? float_digits(magnitude, 'e', std::max(precision, 1) - 1, false, false)
                           : out.digits + ".0";
          const size_t e = out.digits.find('e');
          const size_t point = out.digits.find('.');
          if (e != std::string::npos && point != std::string::npos) {
            size_t last = out.digits.find_last_not_of('0', e - 1);
            if (last == point) --last;
            out.digits.erase(last + 1, e - last - 1);
          }
        }
      }
  }
  if (spec.grouping) out.digits = group(out.digits, spec.grouping, 3);
  return out;
}

void put_number(Text& out, const NumberText& number, const FieldSpec& spec) {
  std::string digits = number.digits;
  const size_t lead = number.sign.size() + number.prefix.size();
  const char align = spec.align ? spec.align : '>';
  const size_t width = static_cast<size_t>(std::clamp<int64_t>(spec.width, 0, kMaxFieldWidth));
  // Zeros put before a grouped number are grouped with it.
  if (align == '=' && spec.fill == "0" && spec.grouping) {
    const size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF,_"), digits.size());
    const std::string rest = digits.substr(whole);
    std::string bare = digits.substr(0, whole);
    std::erase(bare, spec.grouping);
    const size_t size = spec.type && std::string_view("xXob").find(spec.type) != std::string_view::npos ? 4 : 3;
    std::string grouped = group_digits(bare, spec.grouping, size);
    while (grouped.size() + rest.size() + lead < width) {
      bare.insert(bare.begin(), '0');
      grouped = group_digits(bare, spec.grouping, size);
    }
    digits = grouped + rest;
  }
  const size_t used = lead + unicode::count(digits);
  const size_t missing = width > used ? width - used : 0;
  const size_t before = align == '>' ? missing : align == '^' ? missing / 2 : 0;
  out.append(repeat_char(spec.fill, before), true);
  out.append(number.sign + number.prefix, true);
  if (align == '=') out.append(repeat_char(spec.fill, missing), true);
  out.append(digits, true);
  if (align != '=') out.append(repeat_char(spec.fill, missing - before), true);
}

void put_text(Text& out, const Text& text, const FieldSpec& spec) {
  size_t size = text.size();
  if (spec.precision >= 0) size = unicode::offset_of(text.bytes(), static_cast<size_t>(spec.precision));
  const size_t used = unicode::count(text.bytes().substr(0, size));
  const size_t width = static_cast<size_t>(std::clamp<int64_t>(spec.width, 0, kMaxFieldWidth));
  const size_t missing = width > used ? width - used : 0;
  const size_t before = spec.align == '>' ? missing : spec.align == '^' ? missing / 2 : 0;
  out.append(repeat_char(spec.fill, before), true);
  out.append(text, 0, size);
  out.append(repeat_char(spec.fill, missing - before), true);
}

}  // namespace hearth::jinja
