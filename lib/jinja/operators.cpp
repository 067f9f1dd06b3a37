// Python's operators: truth, equality, order, containment and arithmetic.
#include <cmath>

#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"
#include "lib/jinja/text_search.h"

namespace hearth::jinja {
namespace {

double as_double(const Value& value) {
  if (value.is(Kind::kFloat)) return value.as_float();
  if (value.is(Kind::kBigInt)) return value.as<BigNumber>().value.to_double();
  return static_cast<double>(value.as_int());
}

BigInt as_big(const Value& value) {
  return value.is(Kind::kBigInt) ? value.as<BigNumber>().value : BigInt(value.as_int());
}

int sign_of(int64_t a, int64_t b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// 2 when one of them is NaN.
int order_numbers(const Value& a, const Value& b) {
  if (a.is_small_int() && b.is_small_int()) return sign_of(a.as_int(), b.as_int());
  if (a.is_integral() && b.is_integral()) {
    const int order = BigInt::compare(as_big(a), as_big(b));
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  const double x = as_double(a), y = as_double(b);
  if (std::isnan(x) || std::isnan(y)) return 2;
  // Integers too fine for a double are compared exactly.
  if (x == y && !(a.is(Kind::kFloat) && b.is(Kind::kFloat)) && std::fabs(x) >= 9007199254740992.0 && std::isfinite(x)) {
    const BigInt left = a.is(Kind::kFloat) ? BigInt::from_double(x).value_or(BigInt()) : as_big(a);
    const BigInt right = b.is(Kind::kFloat) ? BigInt::from_double(y).value_or(BigInt()) : as_big(b);
    const int order = BigInt::compare(left, right);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  return x < y ? -1 : x > y ? 1 : 0;
}

const char* op_text(Op op) {
  static constexpr const char* kTexts[] = {
      "+", "-", "*", "/", "//", "%", "** or pow()", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kTexts[static_cast<size_t>(op)];
}

Value small_arithmetic(Interpreter& in, Op op, int64_t a, int64_t b, bool& done) {
  int64_t out = 0;
  done = true;
  switch (op) {
    case Op::kAdd:
      if (!__builtin_add_overflow(a, b, &out)) return Value(out);
      break;
    case Op::kSub:
      if (!__builtin_sub_overflow(a, b, &out)) return Value(out);
      break;
    case Op::kMul:
      if (!__builtin_mul_overflow(a, b, &out)) return Value(out);
      break;
    case Op::kFloorDiv:
    case Op::kMod: {
      if (b == 0) return in.fail("ZeroDivisionError: integer division or modulo by zero");
      if (a == INT64_MIN && b == -1) break;
      int64_t quotient = a / b, rest = a % b;
      if (rest != 0 && (rest < 0) != (b < 0)) {
        --quotient;
        rest += b;
      }
      return Value(op == Op::kMod ? rest : quotient);
    }
    default: break;
  }
  done = false;
  return Value();
}

Value big_power(Interpreter& in, const BigInt& base, int64_t exponent) {
  if (base.bits() > 1 && static_cast<uint64_t>(exponent) > BigInt::kMaxBits) {
    return in.fail("an integer grew too large", ErrorCode::kLimit);
  }
  BigInt result(1), square = base;
  for (uint64_t rest = static_cast<uint64_t>(exponent); rest != 0; rest >>= 1) {
    if (rest & 1) result = BigInt::multiply(result, square);
    if (rest > 1) square = BigInt::multiply(square, square);
    if (result.bits() > BigInt::kMaxBits || (rest > 1 && square.bits() > 2 * BigInt::kMaxBits)) {
      return in.fail("an integer grew too large", ErrorCode::kLimit);
    }
    if (!in.step(1 + result.bits() / 32)) return Value();
  }
  return in.integer(std::move(result));
}

Value float_arithmetic(Interpreter& in, Op op, double a, double b) {
  switch (op) {
    case Op::kAdd: return Value(a + b);
    case Op::kSub: return Value(a - b);
    case Op::kMul: return Value(a * b);
    case Op::kDiv:
      if (b == 0) return in.fail("ZeroDivisionError: division by zero");
      return Value(a / b);
    case Op::kFloorDiv:
    case Op::kMod: {
      if (b == 0) return in.fail("ZeroDivisionError: float floor division or modulo by zero");
      double rest = std::fmod(a, b);
      double quotient = (a - rest) / b;
      if (rest != 0 && (rest < 0) != (b < 0)) {
        rest += b;
        quotient -= 1;
      }
      if (rest == 0) rest = std::copysign(0.0, b);
      if (op == Op::kMod) return Value(rest);
      if (quotient == 0) return Value(std::copysign(0.0, a / b));
      double floored = std::floor(quotient);
      if (quotient - floored > 0.5) floored += 1;
      return Value(floored);
    }
    case Op::kPow: {
      if (a == 0 && b < 0) return in.fail("ZeroDivisionError: 0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && std::floor(b) != b) {
        return in.fail("ValueError: a negative number to a fractional power is complex");
      }
      const double out = std::pow(a, b);
      if (std::isinf(out) && std::isfinite(a) && std::isfinite(b))
        return in.fail("OverflowError: Numerical result out of range");
      return Value(out);
    }
    default: return Value();
  }
}

Value arithmetic(Interpreter& in, Op op, const Value& a, const Value& b) {
  if (!a.is_integral() || !b.is_integral()) {
    const double x = as_double(a), y = as_double(b);
    if ((a.is(Kind::kBigInt) && std::isinf(x)) || (b.is(Kind::kBigInt) && std::isinf(y))) {
      return in.fail("OverflowError: int too large to convert to float");
    }
    return float_arithmetic(in, op, x, y);
  }
  if (op == Op::kDiv) {
    if (as_double(b) == 0) return in.fail("ZeroDivisionError: division by zero");
    return Value(as_double(a) / as_double(b));
  }
  if (op == Op::kPow) {
    if (b.is(Kind::kBigInt)) return in.fail("an integer grew too large", ErrorCode::kLimit);
    if (b.as_int() < 0) return float_arithmetic(in, op, as_double(a), as_double(b));
    return big_power(in, as_big(a), b.as_int());
  }
  if (a.is_small_int() && b.is_small_int()) {
    bool done = false;
    Value out = small_arithmetic(in, op, a.as_int(), b.as_int(), done);
    if (done) return out;
  }
  const BigInt x = as_big(a), y = as_big(b);
  if (!in.step(1 + x.bits() / 32 * (1 + y.bits() / 256))) return Value();
  switch (op) {
    case Op::kAdd: return in.integer(BigInt::add(x, y));
    case Op::kSub: return in.integer(BigInt::add(x, y.negated()));
    case Op::kMul: return in.integer(BigInt::multiply(x, y));
    default: break;
  }
  if (y.is_zero()) return in.fail("ZeroDivisionError: integer division or modulo by zero");
  BigInt quotient, rest;
  BigInt::divmod(x, y, quotient, rest);
  return in.integer(op == Op::kMod ? std::move(rest) : std::move(quotient));
}

Value repeat(Interpreter& in, const Value& value, int64_t times) {
  if (times == INT64_MAX || times == INT64_MIN) {
    return in.fail("OverflowError: cannot fit 'int' into an index-sized integer");
  }
  const uint64_t n = times > 0 ? static_cast<uint64_t>(times) : 0;
  if (value.is_string()) {
    const String& text = value.as<String>();
    if (text.text.empty() || n == 0) return in.string(Text(), text.markup);
    if (n > in.options().max_memory / text.text.size() || !in.room(n * text.text.size())) {
      return in.fail("the template used too much memory", ErrorCode::kLimit);
    }
    Text out;
    for (uint64_t i = 0; i < n && in.step(); ++i) out.append(text.text);
    return in.string(std::move(out), text.markup);
  }
  const std::vector<Value>& items = value.as<Sequence>().items;
  if (items.empty() || n == 0) return in.sequence(value.kind(), {});
  if (n > in.options().max_memory / (items.size() * sizeof(Value)) || !in.room(n * items.size() * sizeof(Value))) {
    return in.fail("the template used too much memory", ErrorCode::kLimit);
  }
  std::vector<Value> out;
  for (uint64_t i = 0; i < n && in.step(1 + items.size() / 8); ++i) out.insert(out.end(), items.begin(), items.end());
  return in.sequence(value.kind(), std::move(out));
}

Value join_strings(Interpreter& in, const Value& a, const Value& b) {
  const String& x = a.as<String>();
  const String& y = b.as<String>();
  if (!in.room(x.text.size() + y.text.size())) return Value();
  const bool markup = x.markup || y.markup;
  Text out = markup ? escape_html(in, a) : x.text;
  out.append(markup ? escape_html(in, b) : y.text);
  return in.string(std::move(out), markup);
}

bool is_sequence(const Value& value) {
  return value.is(Kind::kList) || value.is(Kind::kTuple);
}

}  // namespace

bool Interpreter::truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
    case Kind::kUndefined:
    case Kind::kMissing: return false;
    case Kind::kBool:
    case Kind::kInt: return value.as_int() != 0;
    case Kind::kFloat: return value.as_float() != 0;
    case Kind::kBigInt: return true;
    case Kind::kString: return !value.as<String>().text.empty();
    case Kind::kList:
    case Kind::kTuple: return !value.as<Sequence>().items.empty();
    case Kind::kDict: return value.as<Dict>().size() != 0;
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kLoop: return length(value) > 0;
    default: return true;
  }
}

bool Interpreter::equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kNone:
    case Kind::kUndefined: return true;
    case Kind::kString:
      step(1 + a.as<String>().text.size() / 128);
      return a.as<String>().bytes() == b.as<String>().bytes();
    case Kind::kList:
    case Kind::kTuple: {
      const Depth depth(*this);
      const auto& x = a.as<Sequence>().items;
      const auto& y = b.as<Sequence>().items;
      if (x.size() != y.size()) return false;
      for (size_t i = 0; i < x.size(); ++i) {
        if (!step()) return false;
        if (!x[i].same_as(y[i]) && !equal(x[i], y[i])) return false;
      }
      return true;
    }
    case Kind::kDict: {
      const Depth depth(*this);
      const Dict& x = a.as<Dict>();
      const Dict& y = b.as<Dict>();
      if (x.size() != y.size()) return false;
      for (const Dict::Entry& entry : x.entries) {
        if (!step()) return false;
        const Value* other = y.find(entry.key);
        if (!other || (!entry.value.same_as(*other) && !equal(entry.value, *other))) return false;
      }
      return true;
    }
    case Kind::kRange: {
      const Range& x = a.as<Range>();
      const Range& y = b.as<Range>();
      if (x.length != y.length) return false;
      return x.length == 0 || (x.start == y.start && (x.length == 1 || x.step == y.step));
    }
    case Kind::kDictView: {
      // Keys and items compare as sets do; values only with themselves.
      const DictView& x = a.as<DictView>();
      const DictView& y = b.as<DictView>();
      if (x.what != y.what || x.what == DictView::What::kValues || !x.get() || !y.get()) return a.same_as(b);
      if (x.what == DictView::What::kItems) return equal(x.dict, y.dict);
      if (x.get()->size() != y.get()->size()) return false;
      for (const Dict::Entry& entry : x.get()->entries) {
        if (!step() || !y.get()->find(entry.key)) return false;
      }
      return true;
    }
    case Kind::kMethod: {
      const Method& x = a.as<Method>();
      const Method& y = b.as<Method>();
      return x.self.same_as(y.self) && &x.entry == &y.entry;
    }
    default: return a.same_as(b);
  }
}

int Interpreter::order(const Value& a, const Value& b, std::string_view op) {
  if (failed_) return 0;
  if (a.is_number() && b.is_number()) return order_numbers(a, b);
  if (a.is_string() && b.is_string()) {
    step(1 + std::min(a.as<String>().text.size(), b.as<String>().text.size()) / 128);
    const int result = a.as<String>().bytes().compare(b.as<String>().bytes());
    return result < 0 ? -1 : result > 0 ? 1 : 0;
  }
  if (is_sequence(a) && a.kind() == b.kind()) {
    const Depth depth(*this);
    const auto& x = a.as<Sequence>().items;
    const auto& y = b.as<Sequence>().items;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!step()) return 0;
      if (!x[i].same_as(y[i]) && !equal(x[i], y[i])) return failed_ ? 0 : order(x[i], y[i], op);
    }
    return sign_of(static_cast<int64_t>(x.size()), static_cast<int64_t>(y.size()));
  }
  if (a.is_undefined() || b.is_undefined()) {
    fail_undefined(a.is_undefined() ? a : b);
  } else {
    fail_type(concat("'", op, "' not supported between instances of '", type_name(a), "' and '", type_name(b), "'"));
  }
  return 0;
}

Value Interpreter::compare(Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::kEq: return Value(equal(a, b));
    case Op::kNe: return Value(!equal(a, b));
    case Op::kIn: return Value(contains(b, a));
    case Op::kNotIn: return Value(!contains(b, a));
    default: break;
  }
  const int result = order(a, b, op_text(op));
  if (failed_) return Value();
  if (result == 2) return Value(false);
  switch (op) {
    case Op::kLt: return Value(result < 0);
    case Op::kLe: return Value(result <= 0);
    case Op::kGt: return Value(result > 0);
    default: return Value(result >= 0);
  }
}

bool Interpreter::contains(const Value& container, const Value& item) {
  if (failed_) return false;
  switch (container.kind()) {
    case Kind::kString: {
      if (!item.is_string()) {
        fail_type(concat("'in <string>' requires string as left operand, not ", type_name(item)));
        return false;
      }
      step(1 + container.as<String>().text.size() / 32);
      return TextSearch(item.as<String>().bytes()).first(container.as<String>().bytes()) != std::string_view::npos;
    }
    case Kind::kDict:
    case Kind::kDictView: {
      const bool keys = container.is(Kind::kDict) || container.as<DictView>().what == DictView::What::kKeys;
      if (!keys) break;
      if (!is_hashable(item)) {
        fail_type(concat("unhashable type: '", type_name(item), "'"));
        return false;
      }
      const Dict* dict = container.is(Kind::kDict) ? &container.as<Dict>() : container.as<DictView>().get();
      return step(key_cost(item)) && dict && dict->find(item);
    }
    default: break;
  }
  if (!is_iterable(container)) {
    if (container.is_undefined()) return false;
    fail_type(concat("argument of type '", type_name(container), "' is not iterable"));
    return false;
  }
  const Value iterator = iterate(container);
  Value at;
  while (!failed_ && next(iterator, at)) {
    if (at.same_as(item) || equal(at, item)) return true;
  }
  return false;
}

Value Interpreter::binary(Op op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return arithmetic(*this, op, a, b);
  if (op == Op::kMod && a.is_string()) return format_percent(*this, a, b);
  if (a.is_undefined() || b.is_undefined()) return fail_undefined(a.is_undefined() ? a : b);
  if (op == Op::kAdd) {
    if (a.is_string() && b.is_string()) return join_strings(*this, a, b);
    if (is_sequence(a) && a.kind() == b.kind()) {
      const auto& x = a.as<Sequence>().items;
      const auto& y = b.as<Sequence>().items;
      if (!room((x.size() + y.size()) * sizeof(Value))) return Value();
      std::vector<Value> out(x);
      out.insert(out.end(), y.begin(), y.end());
      return sequence(a.kind(), std::move(out));
    }
    if (a.is_string() || is_sequence(a)) {
      return fail_type(
          concat("can only concatenate ", type_name(a), " (not \"", type_name(b), "\") to ", type_name(a)));
    }
  }
  if (op == Op::kMul) {
    const bool left = a.is_string() || is_sequence(a);
    const Value& many = left ? a : b;
    const Value& times = left ? b : a;
    if ((many.is_string() || is_sequence(many)) && times.is_integral()) return repeat(*this, many, to_index(times));
  }
  return fail_type(
      concat("unsupported operand type(s) for ", op_text(op), ": '", type_name(a), "' and '", type_name(b), "'"));
}

Value Interpreter::negate(const Value& value, bool minus) {
  if (failed_) return Value();
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kInt:
      if (!minus) return Value(value.as_int());
      if (value.as_int() == INT64_MIN) return integer(BigInt(value.as_int()).negated());
      return Value(-value.as_int());
    case Kind::kBigInt: return minus ? integer(value.as<BigNumber>().value.negated()) : value;
    case Kind::kFloat: return Value(minus ? -value.as_float() : value.as_float());
    case Kind::kUndefined: return fail_undefined(value);
    default: return fail_type(concat("bad operand type for unary ", (minus ? "-" : "+"), ": '", type_name(value), "'"));
  }
}

}  // namespace hearth::jinja
