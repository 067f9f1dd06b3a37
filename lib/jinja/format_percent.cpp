// printf-style formatting: the % operator of str.
#include <cmath>

#include "lib/base/concat.h"
#include "lib/jinja/field_format.h"
#include "lib/jinja/number_format.h"
#include "lib/unicode/characters.h"

namespace hearth::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Interpreter& in, const String& format, const Value& arguments)
      : in_(in), source_(format.text), format_(format.bytes()), markup_(format.markup), arguments_(arguments) {
    if (arguments.is(Kind::kTuple)) {
      items_ = arguments.as<Sequence>().items;
    } else {
      items_ = {arguments};
    }
  }

  Value run() {
    while (pos_ < format_.size() && !in_.failed()) {
      const size_t percent = std::min(format_.find('%', pos_), format_.size());
      out_.append(source_, pos_, percent - pos_);
      pos_ = percent + 1;
      if (percent == format_.size()) break;
      if (!field() || !in_.step() || !in_.room(out_.size())) return Value();
    }
    const bool mapping = arguments_.is(Kind::kDict) || arguments_.is(Kind::kList) || arguments_.is(Kind::kRange) ||
                         arguments_.is_undefined();
    if (used_ < items_.size() && !(mapping && items_.size() == 1)) {
      return in_.fail_type("not all arguments converted during string formatting");
    }
    return in_.string(std::move(out_), markup_);
  }

 private:
  bool fail_type(std::string message) {
    in_.fail_type(std::move(message));
    return false;
  }

  bool argument(Value& out) {
    if (has_key_) {
      out = keyed_;
      return true;
    }
    if (used_ >= items_.size()) return fail_type("not enough arguments for format string");
    out = items_[used_++];
    return true;
  }

  bool read_key() {
    if (!arguments_.is(Kind::kDict)) return fail_type("format requires a mapping");
    int open = 1;
    const size_t begin = ++pos_;
    for (; pos_ < format_.size(); ++pos_) {
      if (format_[pos_] == '(') ++open;
      if (format_[pos_] == ')' && --open == 0) break;
    }
    if (pos_ >= format_.size()) {
      in_.fail_value("incomplete format key");
      return false;
    }
    const std::string_view key = format_.substr(begin, pos_++ - begin);
    const Value* found = arguments_.as<Dict>().find(key);
    if (!found) {
      in_.fail(concat("KeyError: '", key, "'"));
      return false;
    }
    keyed_ = *found;
    has_key_ = true;
    used_ = items_.size();
    return true;
  }

  // A number in the format, or * for one of the arguments.
  bool read_size(int64_t& out) {
    if (pos_ < format_.size() && format_[pos_] == '*') {
      ++pos_;
      Value value;
      if (!argument(value)) return false;
      if (!value.is_small_int()) return fail_type("* wants int");
      out = value.as_int();
    } else {
      for (; pos_ < format_.size() && format_[pos_] >= '0' && format_[pos_] <= '9' && out <= kMaxFieldWidth; ++pos_) {
        out = out * 10 + (format_[pos_] - '0');
      }
    }
    if (out > kMaxFieldWidth || out < -kMaxFieldWidth) {
      in_.fail_value("width or precision too large");
      return false;
    }
    return true;
  }

  bool field() {
    has_key_ = false;
    FieldSpec spec;
    spec.align = '>';
    bool zero = false, left = false;
    if (pos_ < format_.size() && format_[pos_] == '(' && !read_key()) return false;
    for (; pos_ < format_.size(); ++pos_) {
      const char c = format_[pos_];
      if (c == '-') {
        left = true;
      } else if (c == '+') {
        spec.sign = '+';
      } else if (c == ' ') {
        if (spec.sign != '+') spec.sign = ' ';
      } else if (c == '#') {
        spec.alternate = true;
      } else if (c == '0') {
        zero = true;
      } else {
        break;
      }
    }
    if (!read_size(spec.width)) return false;
    if (spec.width < 0) {
      left = true;
      spec.width = -spec.width;
    }
    if (pos_ < format_.size() && format_[pos_] == '.') {
      ++pos_;
      spec.precision = 0;
      if (!read_size(spec.precision)) return false;
      spec.precision = std::max<int64_t>(spec.precision, 0);
    }
    while (pos_ < format_.size() && (format_[pos_] == 'h' || format_[pos_] == 'l' || format_[pos_] == 'L')) ++pos_;
    if (pos_ >= format_.size()) {
      in_.fail_value("incomplete format");
      return false;
    }
    spec.type = format_[pos_++];
    if (left) spec.align = '<';
    zero_ = zero && !left;
    return convert(spec);
  }

  bool convert(FieldSpec& spec) {
    Value value;
    switch (spec.type) {
      case '%': out_.append("%", source_.trusted_at(pos_ - 1)); return true;
      case 's':
      case 'r':
      case 'a': {
        if (!argument(value)) return false;
        Text text;
        if (spec.type == 's') {
          text = markup_ ? escape_html(in_, value) : in_.text_of(value);
        } else {
          in_.print_repr(text, value, spec.type == 'a');
        }
        if (!in_.step(1 + text.size() / 32)) return false;
        put_text(out_, text, spec);
        return true;
      }
      case 'c': return argument(value) && character(value, spec);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': return argument(value) && integer(value, spec);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': return argument(value) && real(value, spec);
      default: in_.fail_value(concat("unsupported format character '", spec.type, "'")); return false;
    }
  }

  bool character(const Value& value, const FieldSpec& spec) {
    Text text;
    if (value.is_string() && value.as<String>().length() == 1) {
      text = value.as<String>().text;
    } else if (value.is_small_int() && value.as_int() >= 0 && value.as_int() <= 0x10FFFF) {
      std::string bytes;
      unicode::encode(bytes, static_cast<uint32_t>(value.as_int()));
      text = Text(std::move(bytes), false);
    } else {
      return fail_type("%c requires int or char");
    }
    put_text(out_, text, spec);
    return true;
  }

  bool integer(const Value& given, FieldSpec& spec) {
    Value value = given;
    if (value.is(Kind::kFloat) && (spec.type == 'd' || spec.type == 'i' || spec.type == 'u')) {
      const auto big = BigInt::from_double(value.as_float());
      if (!big) {
        in_.fail("OverflowError: cannot convert float to integer");
        return false;
      }
      value = in_.integer(*big);
    }
    if (value.is_undefined()) return in_.fail_undefined(value), false;
    if (!value.is_integral()) {
      return fail_type(concat("%", spec.type, " format: a number is required, not ", in_.type_name(value)));
    }
    if (value.is(Kind::kBigInt) && !in_.step(value.as<BigNumber>().value.bits() / 8)) return false;
    NumberText number = integer_text(value, spec);
    if (spec.precision >= 0 && spec.precision > static_cast<int64_t>(number.digits.size())) {
      number.digits.insert(0, static_cast<size_t>(spec.precision) - number.digits.size(), '0');
    }
    put(number, spec);
    return true;
  }

  bool real(const Value& value, FieldSpec& spec) {
    if (value.is_undefined()) return in_.fail_undefined(value), false;
    if (!value.is_number()) return fail_type(concat("must be real number, not ", in_.type_name(value)));
    if (spec.precision > kMaxPrecision) return in_.fail_value("precision too large"), false;
    const double number = value.is(Kind::kFloat)    ? value.as_float()
                          : value.is(Kind::kBigInt) ? value.as<BigNumber>().value.to_double()
                                                    : static_cast<double>(value.as_int());
    put(float_text(number, spec), spec);
    return true;
  }

  void put(const NumberText& number, FieldSpec& spec) {
    if (zero_) {
      spec.fill = "0";
      spec.align = '=';
    }
    put_number(out_, number, spec);
  }

  Interpreter& in_;
  const Text& source_;
  std::string_view format_;
  const bool markup_;
  const Value arguments_;
  std::vector<Value> items_;
  size_t used_ = 0, pos_ = 0;
  bool has_key_ = false, zero_ = false;
  Value keyed_;
  Text out_;
};

}  // namespace

Value format_percent(Interpreter& in, const Value& format, const Value& arguments) {
  const Value keep = format;
  if (!in.step(1 + keep.as<String>().text.size() / 16)) return Value();
  return PercentFormatter(in, keep.as<String>(), arguments).run();
}

}  // namespace hearth::jinja
