// Filters on numbers, defaults, attributes and JSON.
#include <algorithm>
#include <cmath>

#include "lib/base/concat.h"
#include "lib/jinja/filters.h"
#include "lib/jinja/json_values.h"
#include "lib/jinja/number_format.h"

namespace hearth::jinja::filters {
namespace {

double number_of(const Value& value) {
  if (value.is(Kind::kFloat)) return value.as_float();
  if (value.is(Kind::kBigInt)) return value.as<BigNumber>().value.to_double();
  return static_cast<double>(value.as_int());
}

// int() of a text; missing when it is not one.
Value int_of_text(Interpreter& in, std::string_view text, int64_t base) {
  const auto space = [](char c) { return c == ' ' || (c >= 9 && c <= 13); };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  bool negative = false;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.size() > 2 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    const int64_t meant = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (meant != 0 && (base == meant || base == 0)) {
      base = meant;
      text.remove_prefix(2);
      if (text.front() == '_') text.remove_prefix(1);
    }
  }
  if (base == 0) base = 10;
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
    } else if (i == 0 || i + 1 == text.size() || text[i - 1] == '_') {
      return Value::missing();
    }
  }
  if (base < 2 || base > 36) return Value::missing();
  const auto big = BigInt::parse(digits, static_cast<uint32_t>(base));
  if (!big) return Value::missing();
  return in.integer(negative ? big->negated() : *big);
}

// int() of a float; missing for infinities (an error of another kind in Python) and NaN.
Value int_of_float(Interpreter& in, double value) {
  const auto big = BigInt::from_double(value);
  return big ? in.integer(*big) : Value::missing();
}

// round(value, digits) for floats, by way of the correctly rounded decimal text as CPython does it.
double round_digits(double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 323) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits >= 0) {
    const double out = parse_float(float_digits(value, 'f', static_cast<int>(digits), false, false)).value_or(value);
    return std::copysign(out, value);
  }
  const double power = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(value / power) * power;
}

}  // namespace

Value absolute(Interpreter& in, const Value& input, const CallArgs&) {
  if (input.is(Kind::kFloat)) return Value(std::fabs(input.as_float()));
  if (!input.is_number()) {
    return input.is_undefined() ? in.fail_type("bad operand type for abs(): 'Undefined'")
                                : in.fail_type(concat("bad operand type for abs(): '", in.type_name(input), "'"));
  }
  const bool negative = input.is(Kind::kBigInt) ? input.as<BigNumber>().value.is_negative() : input.as_int() < 0;
  return in.negate(input, negative);
}

Value attribute(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("attr", args, {"name"}, 1, bound)) return Value();
  if (!bound[0].is_string()) return in.fail_type("attribute name must be string");
  // Attributes only, not items: a dict's keys are left out.
  if (input.is_undefined()) return in.fail_undefined(input);
  if (input.is(Kind::kDict)) {
    bool refused = false;
    const MethodEntry* method = find_method(in, input, bound[0].as<String>().bytes(), refused);
    if (!method && !refused) return in.undefined_attribute(input, bound[0]);
  }
  return in.attribute(input, bound[0]);
}

Value fallback(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("default", args, {"default_value", "boolean"}, 0, bound)) return Value();
  const bool replace = input.is_undefined() || (bound.has(1) && in.truthy(bound[1]) && !in.truthy(input));
  if (!replace) return input;
  return bound.has(0) ? bound[0] : in.string("");
}

Value to_int(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("int", args, {"default", "base"}, 0, bound)) return Value();
  const Value other = bound.has(0) ? bound[0] : Value(0);
  const int64_t base = bound.has(1) ? in.to_index(bound[1]) : 10;
  if (in.failed()) return Value();
  if (input.is_integral()) return input.is(Kind::kBool) ? Value(input.as_int()) : input;
  Value out = Value::missing();
  if (input.is(Kind::kFloat)) {
    if (std::isinf(input.as_float())) return in.fail("OverflowError: cannot convert float infinity to integer");
    out = int_of_float(in, input.as_float());
  } else if (input.is_string()) {
    const std::string_view text = input.as<String>().bytes();
    if (!in.step(1 + text.size() / 4)) return Value();
    out = int_of_text(in, text, base);
    if (out.is_missing()) {
      const std::optional<double> number = parse_float(text);
      if (number && std::isinf(*number)) return in.fail("OverflowError: cannot convert float infinity to integer");
      if (number) out = int_of_float(in, *number);
    }
  } else if (input.is_undefined()) {
    return in.fail_undefined(input);
  }
  return out.is_missing() ? other : out;
}

Value to_float(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("float", args, {"default"}, 0, bound)) return Value();
  if (input.is_undefined()) return in.fail_undefined(input);
  if (input.is_number()) return Value(number_of(input));
  if (input.is_string()) {
    if (const auto number = parse_float(input.as<String>().bytes())) return Value(*number);
  }
  return bound.has(0) ? bound[0] : Value(0.0);
}

Value round(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("round", args, {"precision", "method"}, 0, bound)) return Value();
  const std::string how(bound.has(1) && bound[1].is_string() ? bound[1].as<String>().bytes() : "common");
  if (how != "common" && how != "ceil" && how != "floor") return in.fail("method must be common, ceil or floor");
  if (input.is_undefined()) return in.fail_undefined(input);
  if (!input.is_number()) {
    return in.fail_type(concat("type ", in.type_name(input), " doesn't define __round__ method"));
  }
  const bool none = bound.has(0) && bound[0].is_none();
  const int64_t precision = bound.has(0) && !none ? in.to_index(bound[0]) : 0;
  if (in.failed()) return Value();
  if (how == "common") {
    if (input.is(Kind::kFloat)) {
      if (none) return int_of_float(in, std::nearbyint(input.as_float()));
      return Value(round_digits(input.as_float(), precision));
    }
    if (precision >= 0) return input.is(Kind::kBool) ? Value(input.as_int()) : input;
    if (precision < -18 || !input.is_small_int()) return Value(0);
    int64_t power = 1;
    for (int64_t i = precision; i < 0; ++i) power *= 10;
    // Half to even, without overflow.
    const int64_t value = input.as_int();
    int64_t quotient = value / power, rest = value % power;
    if (rest < 0) {
      rest += power;
      --quotient;
    }
    if (rest > power - rest || (rest == power - rest && (quotient & 1))) ++quotient;
    return in.binary(Op::kMul, Value(quotient), Value(power));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double value = number_of(input) * scale;
  const double whole = how == "ceil" ? std::ceil(value) : std::floor(value);
  if (!std::isfinite(whole)) return in.fail("OverflowError: cannot convert float infinity to integer");
  return Value(whole / scale);
}

Value filesizeformat(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("filesizeformat", args, {"binary"}, 0, bound)) return Value();
  double bytes = 0;
  if (input.is_number()) {
    bytes = number_of(input);
  } else if (input.is_string()) {
    const auto number = parse_float(input.as<String>().bytes());
    if (!number) return in.fail_value("could not convert string to float");
    bytes = *number;
  } else {
    return in.fail_type("filesizeformat needs a number");
  }
  const bool binary = bound.has(0) && in.truthy(bound[0]);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return in.string("1 Byte");
  if (bytes < base) return in.string(concat(static_cast<int64_t>(std::max(bytes, -9e18)), " Bytes"));
  if (std::isnan(bytes)) return in.fail_value("cannot convert float NaN to integer");
  static constexpr std::string_view kLetters = "kMGTPEZY";
  double unit = base;
  for (size_t i = 0; i < kLetters.size(); ++i) {
    unit *= base;
    if (bytes < unit || i + 1 == kLetters.size()) {
      const char letter = binary && i == 0 ? 'K' : kLetters[i];
      return in.string(
          concat(float_digits(base * bytes / unit, 'f', 1, false, false), " ", letter, (binary ? "iB" : "B")));
    }
  }
  return Value();
}

Value pprint(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("pprint", args, {}, 0, bound)) return Value();
  Text out;
  in.print_repr(out, input);
  return in.string(std::move(out));
}

Value tojson(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, bound)) return Value();
  JsonStyle style;
  style.ensure_ascii = bound.has(0) && in.truthy(bound[0]);
  style.sort_keys = bound.has(3) && in.truthy(bound[3]);
  if (is_given(bound, 1)) {
    style.indented = true;
    style.item_separator = Text(std::string_view(","), false);
    if (bound[1].is_string()) {
      style.indent = bound[1].as<String>().bytes();
    } else {
      const int64_t width = std::max<int64_t>(in.to_index(bound[1]), 0);
      if (in.failed() || !in.room(static_cast<uint64_t>(width))) return Value();
      style.indent.assign(static_cast<size_t>(width), ' ');
    }
  }
  if (is_given(bound, 2)) {
    std::vector<Value> pair;
    if (!in.collect(bound[2], pair)) return Value();
    if (pair.size() != 2) return in.fail_value("separators must be a pair");
    if (!pair[0].is_string() || !pair[1].is_string()) return in.fail_type("separators must be strings");
    style.item_separator = pair[0].as<String>().text;
    style.key_separator = pair[1].as<String>().text;
  }
  Text out;
  std::string error;
  if (!write_json(input, style, in.heap(), out, error)) return in.fail(std::move(error));
  return in.step(out.size() / 8) ? in.string(std::move(out)) : Value();
}

Value from_json(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("from_json", args, {}, 0, bound)) return Value();
  if (!input.is_string()) return in.fail_type("the JSON object must be str");
  const Text& text = input.as<String>().text;
  if (!in.step(1 + text.size() / 4)) return Value();
  Value out;
  std::string error;
  if (!read_json(in.heap(), text.bytes(), text.is_uniform() && text.trusted_at(0), out, error)) {
    return in.fail_value(std::move(error));
  }
  return out;
}

}  // namespace hearth::jinja::filters
