// str.format(): replacement fields, conversions and the format specification mini-language of Python.
#include <algorithm>
#include <charconv>

#include "lib/base/concat.h"
#include "lib/jinja/field_format.h"
#include "lib/jinja/number_format.h"
#include "lib/unicode/characters.h"

namespace hearth::jinja {
namespace {

class BraceFormatter {
 public:
  BraceFormatter(Interpreter& in, const CallArgs& args, bool markup) : in_(in), args_(args), markup_(markup) {}

  // Formats `source`; fields inside a specification are formatted one level deeper.
  bool format(const Text& source, Text& out, int depth) {
    if (depth > 2) return fail("ValueError: Max string recursion exceeded");
    const std::string_view text = source.bytes();
    for (size_t pos = 0; pos < text.size();) {
      const size_t brace = std::min(text.find_first_of("{}", pos), text.size());
      out.append(source, pos, brace - pos);
      pos = brace;
      if (pos == text.size()) break;
      if (pos + 1 < text.size() && text[pos + 1] == text[pos]) {
        out.append(source, pos, 1);
        pos += 2;
        continue;
      }
      if (text[pos] == '}') return fail("ValueError: Single '}' encountered in format string");
      const size_t end = field_end(text, pos + 1);
      if (end == std::string_view::npos) return fail("ValueError: expected '}' before end of string");
      if (!field(source.slice(pos + 1, end - pos - 1), out, depth)) return false;
      if (!in_.step() || !in_.room(out.size())) return false;
      pos = end + 1;
    }
    return true;
  }

 private:
  bool fail(std::string message) {
    in_.fail(std::move(message));
    return false;
  }

  // Offset of the brace that closes a field; brackets hide braces.
  static size_t field_end(std::string_view text, size_t pos) {
    int open = 1;
    bool in_brackets = false;
    for (; pos < text.size(); ++pos) {
      const char c = text[pos];
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      if (in_brackets && open == 1) continue;
      if (c == '{') ++open;
      if (c == '}' && --open == 0) return pos;
    }
    return std::string_view::npos;
  }

  bool field(const Text& field_text, Text& out, int depth) {
    const std::string_view text = field_text.bytes();
    size_t name_end = 0;
    bool in_brackets = false;
    for (; name_end < text.size(); ++name_end) {
      const char c = text[name_end];
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      if (!in_brackets && (c == ':' || c == '!')) break;
    }
    Value value;
    if (!lookup(field_text.slice(0, name_end), value)) return false;
    size_t pos = name_end;
    char conversion = '\0';
    if (pos < text.size() && text[pos] == '!') {
      if (pos + 1 >= text.size()) return fail("ValueError: end of string while looking for conversion specifier");
      conversion = text[pos + 1];
      pos += 2;
      if (pos < text.size() && text[pos] != ':') return fail("ValueError: expected ':' after conversion specifier");
    }
    Text spec_text;
    if (pos < text.size() && !format(field_text.slice(pos + 1, text.size() - pos - 1), spec_text, depth + 1))
      return false;
    if (conversion == 's') {
      value = in_.string(in_.text_of(value));
    } else if (conversion == 'r' || conversion == 'a') {
      Text printed;
      in_.print_repr(printed, value, conversion == 'a');
      value = in_.string(std::move(printed));
    } else if (conversion != '\0') {
      return fail(concat("ValueError: Unknown conversion specifier ", conversion));
    }
    return !in_.failed() && put(value, spec_text.bytes(), out);
  }

  bool lookup(const Text& name_text, Value& value) {
    const std::string_view name = name_text.bytes();
    size_t pos = std::min(name.find_first_of(".["), name.size());
    const std::string_view first = name.substr(0, pos);
    const bool number =
        !first.empty() && first.size() < 9 && first.find_first_not_of("0123456789") == std::string_view::npos;
    if (first.empty() || number) {
      size_t index = 0;
      for (const char c : first) index = index * 10 + static_cast<size_t>(c - '0');
      if (number ? automatic_ > 0 : manual_) {
        return fail("ValueError: cannot switch between automatic field numbering and manual field specification");
      }
      manual_ = manual_ || number;
      if (!number) index = automatic_++;
      if (index >= args_.positional.size()) {
        return fail(concat("IndexError: Replacement index ", index, " out of range for positional args tuple"));
      }
      value = args_.positional[index];
    } else {
      const auto found =
          std::find_if(args_.named.begin(), args_.named.end(), [&](const auto& entry) { return entry.first == first; });
      if (found == args_.named.end()) return fail(concat("KeyError: '", first, "'"));
      value = found->second;
    }
    while (pos < name.size() && !in_.failed()) {
      const bool attribute = name[pos] == '.';
      const size_t begin = pos + 1;
      const size_t end = attribute ? std::min(name.find_first_of(".[", begin), name.size()) : name.find(']', begin);
      if (end == std::string_view::npos) return fail("ValueError: Missing ']' in format string");
      if (end == begin) return fail("ValueError: Empty attribute in format string");
      const std::string_view key = name.substr(begin, end - begin);
      const bool index = !attribute && key.size() < 18 && key.find_first_not_of("0123456789") == std::string_view::npos;
      int64_t position = 0;
      if (index) std::from_chars(key.data(), key.data() + key.size(), position);
      const Value key_value = index ? Value(position) : in_.string(key);
      value = attribute ? in_.attribute(value, key_value) : in_.item(value, key_value);
      pos = attribute ? end : end + 1;
      if (!attribute && pos < name.size() && name[pos] != '.' && name[pos] != '[') {
        return fail("ValueError: Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return !in_.failed();
  }

  bool parse_spec(std::string_view text, FieldSpec& spec, bool& zero) {
    size_t pos = 0;
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '=' || c == '^'; };
    if (!text.empty()) {
      const size_t size = unicode::decode(text, 0).size;
      if (size < text.size() && is_align(text[size])) {
        spec.fill = text.substr(0, size);
        spec.align = text[size];
        pos = size + 1;
      } else if (is_align(text[0])) {
        spec.align = text[0];
        pos = 1;
      }
    }
    const auto at = [&](std::string_view chars) {
      return pos < text.size() && chars.find(text[pos]) != std::string_view::npos;
    };
    if (at("+- ")) spec.sign = text[pos++];
    if (at("z")) ++pos;
    if (at("#")) {
      spec.alternate = true;
      ++pos;
    }
    if (at("0")) {
      zero = spec.align == '\0';
      ++pos;
    }
    const auto number = [&](int64_t& value) {
      for (value = 0; at("0123456789") && value <= kMaxFieldWidth; ++pos) value = value * 10 + (text[pos] - '0');
      return value <= kMaxFieldWidth;
    };
    if (at("0123456789") && !number(spec.width)) return fail("ValueError: Too many decimal digits in format string");
    if (at(",_")) spec.grouping = text[pos++];
    if (at(".")) {
      ++pos;
      if (!at("0123456789")) return fail("ValueError: Format specifier missing precision");
      if (!number(spec.precision)) return fail("ValueError: Too many decimal digits in format string");
    }
    if (pos < text.size()) spec.type = text[pos++];
    return pos == text.size() || fail("ValueError: Invalid format specifier");
  }

  bool put(const Value& value, std::string_view spec_text, Text& out) {
    if (spec_text.empty()) {
      out.append(markup_ ? escape_html(in_, value) : in_.text_of(value));
      return !in_.failed();
    }
    FieldSpec spec;
    bool zero = false;
    if (!parse_spec(spec_text, spec, zero)) return false;
    if (zero) spec.fill = "0";
    const bool text_like = value.is_string();
    if (!text_like && !value.is_number()) {
      return fail(concat("TypeError: unsupported format string passed to ", in_.type_name(value), ".__format__"));
    }
    if (text_like) {
      if (spec.type != '\0' && spec.type != 's')
        return fail("ValueError: Unknown format code for object of type 'str'");
      if (spec.sign != '-' || spec.alternate || spec.grouping || spec.align == '=') {
        return fail("ValueError: option not allowed in string format specifier");
      }
      if (spec.align == '\0') spec.align = '<';
      put_text(out, value.as<String>().text, spec);
      return true;
    }
    if (zero) spec.align = '=';
    return put_any_number(value, spec, out);
  }

  bool put_any_number(const Value& value, FieldSpec& spec, Text& out) {
    static constexpr std::string_view kFloatTypes = "eEfFgG%";
    const bool as_float =
        value.is(Kind::kFloat) || (spec.type != '\0' && kFloatTypes.find(spec.type) != std::string_view::npos);
    if (as_float) {
      if (spec.type == 'n') spec.type = 'g';
      if (spec.type != '\0' && kFloatTypes.find(spec.type) == std::string_view::npos) {
        return fail(concat("ValueError: Unknown format code '", spec.type, "' for object of type 'float'"));
      }
      if (spec.precision > kMaxPrecision) return fail("ValueError: precision too large");
      const double number = value.is(Kind::kFloat)    ? value.as_float()
                            : value.is(Kind::kBigInt) ? value.as<BigNumber>().value.to_double()
                                                      : static_cast<double>(value.as_int());
      put_number(out, float_text(number, spec), spec);
      return true;
    }
    if (spec.type == 'c') {
      if (!value.is_small_int() || value.as_int() < 0 || value.as_int() > 0x10FFFF)
        return fail("OverflowError: %c arg not in range");
      std::string bytes;
      unicode::encode(bytes, static_cast<uint32_t>(value.as_int()));
      if (spec.align == '\0') spec.align = '<';
      put_text(out, Text(std::move(bytes), false), spec);
      return true;
    }
    if (spec.type == 'n') spec.type = 'd';
    if (spec.type != '\0' && std::string_view("dxXob").find(spec.type) == std::string_view::npos) {
      return fail(concat("ValueError: Unknown format code '", spec.type, "' for object of type 'int'"));
    }
    if (spec.precision >= 0) return fail("ValueError: Precision not allowed in integer format specifier");
    if (value.is(Kind::kBigInt) && !in_.step(value.as<BigNumber>().value.bits() / 8)) return false;
    put_number(out, integer_text(value, spec), spec);
    return true;
  }

  Interpreter& in_;
  const CallArgs& args_;
  const bool markup_;
  size_t automatic_ = 0;
  bool manual_ = false;
};

}  // namespace

Value format_braces(Interpreter& in, const Value& format, const CallArgs& args) {
  const Value keep = format;
  const String& text = keep.as<String>();
  if (!in.step(1 + text.text.size() / 16)) return Value();
  Text out;
  if (!BraceFormatter(in, args, text.markup).format(text.text, out, 1)) return Value();
  return in.string(std::move(out), text.markup);
}

}  // namespace hearth::jinja
