// Automata that compare digits with a bound, or keep a remainder.
#include "lib/grammar/numbers.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "lib/grammar/regex.h"

namespace hearth::grammar {
namespace {

constexpr size_t kMaxDigits = 40;
constexpr int64_t kMaxRemainders = 10'000;

/// States by a key of three numbers, made when they are first asked for.
class Machine {
 public:
  using Key = std::tuple<int, int, int64_t>;
  uint32_t state(int phase, int a, int64_t b) {
    const auto [at, is_new] = numbers_.try_emplace(Key{phase, a, b}, static_cast<uint32_t>(dfa.size()));
    if (is_new) {
      dfa.moves.emplace_back();
      dfa.accepts.push_back(false);
      keys.emplace_back(phase, a, b);
    }
    return at->second;
  }
  void move(uint32_t from, char on, uint32_t to) {
    dfa.moves[from].push_back({static_cast<uint8_t>(on), static_cast<uint8_t>(on), to});
  }
  Dfa dfa;
  std::vector<Key> keys;

 private:
  std::map<Key, uint32_t> numbers_;
};

enum Order { kLess = 0, kEqual = 1, kGreater = 2 };

Order order_of(char a, char b) {
  return a < b ? kLess : a > b ? kGreater : kEqual;
}

/// Digits (no sign) whose value compares with |bound| in one of the allowed ways.
class Comparison {
 public:
  Comparison(const Decimal& bound, const bool (&allowed)[3], bool fractions)
      : bound_(bound), allowed_(allowed), fractions_(fractions) {}

  Dfa run() {
    m_.state(kStart, 0, 0);
    for (uint32_t s = 0; s < m_.keys.size(); ++s) {
      const auto [phase, n, order] = m_.keys[s];
      m_.dfa.accepts[s] = accepts(phase, n, static_cast<Order>(order));
      if (fractions_ && (phase == kInteger || phase == kZero))
        m_.move(s, '.', after_point(n, static_cast<Order>(order)));
      for (char d = '0'; d <= '9'; ++d) add_digit(s, phase, n, static_cast<Order>(order), d);
    }
    return minimized(m_.dfa);
  }

 private:
  enum Phase { kStart, kZero, kInteger, kPoint, kFraction };

  int n_digits() const { return static_cast<int>(bound_.digits.size()); }
  int n_fraction() const { return static_cast<int>(bound_.fraction.size()); }
  /// Of an integer part of n digits, whose leading digits compare as `order`.
  Order integer_order(int n, Order order) const { return n < n_digits() ? kLess : n > n_digits() ? kGreater : order; }
  bool accepts(int phase, int n, Order order) const {
    if (phase == kStart || phase == kPoint) return false;
    if (phase != kFraction) {
      order = integer_order(n, order);
      n = 0;
    }
    return allowed_[order == kEqual && n < n_fraction() ? kLess : order];
  }
  uint32_t after_point(int n, Order order) { return m_.state(kPoint, 0, integer_order(n, order)); }
  void add_digit(uint32_t s, int phase, int n, Order order, char d) {
    if (phase == kZero) return;
    if (phase == kStart && d == '0') return m_.move(s, d, m_.state(kZero, 0, kEqual));
    if (phase == kStart || phase == kInteger) {
      Order next = phase == kStart ? kEqual : order;
      if (next == kEqual && n < n_digits()) next = order_of(d, bound_.digits[static_cast<size_t>(n)]);
      const int count = std::min(n + 1, n_digits() + 1);
      if (count > n_digits()) next = kGreater;
      return m_.move(s, d, m_.state(kInteger, count, next));
    }
    Order next = order;
    if (order == kEqual) next = order_of(d, n < n_fraction() ? bound_.fraction[static_cast<size_t>(n)] : '0');
    m_.move(s, d, m_.state(kFraction, next == kEqual ? std::min(n + 1, n_fraction()) : 0, next));
  }

  const Decimal& bound_;
  const bool (&allowed_)[3];
  const bool fractions_;
  Machine m_;
};

/// Digits (no sign) of multiples of step / 10^places.
Dfa multiples(int64_t step, int places, bool fractions) {
  enum { kStart, kZero, kInteger, kPoint, kFraction };
  Machine m;
  m.state(kStart, 0, 0);
  const auto is_multiple = [&](int64_t rest, int done) {
    for (int i = done; i < places; ++i) rest = rest * 10 % step;
    return rest == 0;
  };
  for (uint32_t s = 0; s < m.keys.size(); ++s) {
    const auto [phase, n, rest] = m.keys[s];
    m.dfa.accepts[s] = phase != kStart && phase != kPoint && is_multiple(rest, n);
    if (fractions && (phase == kInteger || phase == kZero)) m.move(s, '.', m.state(kPoint, 0, rest));
    for (char d = '0'; d <= '9' && phase != kZero; ++d) {
      const int64_t next = (rest * 10 + (d - '0')) % step;
      if (phase == kStart || phase == kInteger) {
        m.move(s, d, m.state(phase == kStart && d == '0' ? kZero : kInteger, 0, next));
      } else if (n < places) {
        m.move(s, d, m.state(kFraction, n + 1, next));
      } else if (d == '0') {
        m.move(s, d, m.state(kFraction, n, rest));
      }
    }
  }
  return minimized(m.dfa);
}

Dfa with_minus(const Dfa& dfa) {
  Dfa out;
  out.moves.push_back({{'-', '-', 1}});
  out.accepts.push_back(false);
  for (size_t s = 0; s < dfa.size(); ++s) {
    out.moves.push_back(dfa.moves[s]);
    for (Dfa::Move& m : out.moves.back()) ++m.to;
    out.accepts.push_back(dfa.accepts[s]);
  }
  return out;
}

Dfa compared(const Decimal& bound, bool less, bool equal, bool greater, bool fractions) {
  const bool allowed[3] = {less, equal, greater};
  return Comparison(bound, allowed, fractions).run();
}

/// Magnitudes of the numbers of one sign that are within the limits.
std::optional<Dfa> magnitudes(const NumberLimits& l, bool negative, bool fractions) {
  // Of negative numbers the greatest magnitude comes from the minimum.
  const auto& low = negative ? l.max : l.min;
  const auto& high = negative ? l.min : l.max;
  const bool above = negative ? l.below_max : l.above_min, below = negative ? l.above_min : l.below_max;
  Dfa all = compared({}, true, true, true, fractions);
  const auto is_on_side = [&](const Decimal& d) { return d.is_zero() || d.negative == negative; };
  if (high && !is_on_side(*high)) return Dfa{.moves = {{}}, .accepts = {false}};
  std::optional<Dfa> out = std::move(all);
  if (high) out = combine(*out, compared(*high, true, !below, false, fractions), Both::kAnd);
  if (out && low && is_on_side(*low)) out = combine(*out, compared(*low, false, !above, true, fractions), Both::kAnd);
  return out;
}

/// step / 10^places in lowest terms of what the automaton needs; nullopt: too large, or 0.
std::optional<std::pair<int64_t, int>> steps_of(const Decimal& d) {
  const std::string all = d.digits + d.fraction;
  if (all.size() > 15 || d.is_zero() || d.negative) return std::nullopt;
  int64_t step = 0;
  for (const char c : all) step = step * 10 + (c - '0');
  const auto places = static_cast<int>(d.fraction.size());
  if (step * (places + 2) > kMaxRemainders) return std::nullopt;
  return std::pair{step, places};
}

Dfa both_signs(const Dfa& magnitude) {
  return combine(magnitude, with_minus(magnitude), Both::kOr).value_or(Dfa{});
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal d;
  if (text.starts_with('-')) d.negative = true, text.remove_prefix(1);
  int64_t exponent = 0;
  const size_t e = text.find_first_of("eE");
  if (e != std::string_view::npos) {
    std::string_view power = text.substr(e + 1);
    const bool minus = power.starts_with('-');
    if (minus || power.starts_with('+')) power.remove_prefix(1);
    for (const char c : power) exponent = std::min<int64_t>(exponent * 10 + (c - '0'), 10'000);
    if (minus) exponent = -exponent;
    text = text.substr(0, e);
  }
  const size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  if (point != std::string_view::npos) digits += text.substr(point + 1);
  int64_t n_integer = static_cast<int64_t>(std::min(point, text.size())) + exponent;
  if (digits.find_first_not_of('0') == std::string::npos) return Decimal{};
  if (n_integer > static_cast<int64_t>(kMaxDigits) || n_integer < -static_cast<int64_t>(kMaxDigits))
    return std::nullopt;
  if (n_integer < 0) digits.insert(0, static_cast<size_t>(-n_integer), '0'), n_integer = 0;
  if (n_integer > static_cast<int64_t>(digits.size()))
    digits.append(static_cast<size_t>(n_integer) - digits.size(), '0');
  d.digits = digits.substr(0, static_cast<size_t>(n_integer));
  d.fraction = digits.substr(static_cast<size_t>(n_integer));
  d.digits.erase(0, std::min(d.digits.find_first_not_of('0'), d.digits.size()));
  d.fraction.erase(d.fraction.find_last_not_of('0') + 1);
  if (d.digits.size() + d.fraction.size() > kMaxDigits) return std::nullopt;
  return d;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.is_zero() && b.is_zero() ? 0 : a.negative ? -1 : 1;
  int order =
      a.digits.size() != b.digits.size() ? (a.digits.size() < b.digits.size() ? -1 : 1) : a.digits.compare(b.digits);
  if (order == 0) order = a.fraction.compare(b.fraction);
  return a.negative ? -order : order;
}

std::optional<Dfa> numbers_within(const NumberLimits& limits, NumberKind kind) {
  const bool fractions = kind != NumberKind::kInteger;
  const auto positive = magnitudes(limits, false, fractions), negative = magnitudes(limits, true, fractions);
  if (!positive || !negative) return std::nullopt;
  std::optional<Dfa> out = combine(*positive, with_minus(*negative), Both::kOr);
  for (const Decimal& d : limits.multiple_of) {
    const auto step = steps_of(d);
    if (!step || !out) return std::nullopt;
    out = combine(*out, both_signs(multiples(step->first, step->second, fractions)), Both::kAnd);
  }
  if (kind != NumberKind::kFraction || !out) return out;
  const Result<Regex> nonzero = parse_regex("-?(0|[1-9]\\d*)\\.\\d*[1-9]\\d*");
  return combine(*out, *automaton_of(*nonzero, true), Both::kAnd);
}

bool is_within(const Decimal& value, const NumberLimits& l) {
  const auto below = [&](const Decimal& a, const Decimal& b, bool strictly) {
    const int order = compare(a, b);
    return order < 0 || (order == 0 && !strictly);
  };
  if (l.min && !below(*l.min, value, l.above_min)) return false;
  if (l.max && !below(value, *l.max, l.below_max)) return false;
  return std::all_of(l.multiple_of.begin(), l.multiple_of.end(), [&](const Decimal& d) {
    const auto step = steps_of(d);
    if (!step) return false;
    const std::string text =
        (value.digits.empty() ? "0" : value.digits) + (value.fraction.empty() ? "" : "." + value.fraction);
    return multiples(step->first, step->second, true).matches(text);
  });
}

std::optional<Dfa> number_equal(const Decimal& value, NumberKind kind) {
  const Dfa magnitude = compared(value, false, true, false, kind != NumberKind::kInteger);
  if (value.is_zero()) return both_signs(magnitude);
  return value.negative ? with_minus(magnitude) : magnitude;
}

}  // namespace hearth::grammar
