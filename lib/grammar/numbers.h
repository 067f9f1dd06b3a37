// Numbers between bounds and multiples of a number, as automata over their digits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/grammar/dfa.h"

namespace hearth::grammar {

/// An exact decimal: digits without leading zeros, fraction without trailing ones; both empty: 0.
struct Decimal {
  bool negative = false;
  std::string digits{}, fraction{};
  bool is_zero() const { return digits.empty() && fraction.empty(); }
};

/// Of a number as JSON writes it; nullopt for more than 40 digits.
std::optional<Decimal> parse_decimal(std::string_view text);
/// < 0, 0 or > 0.
int compare(const Decimal& a, const Decimal& b);

struct NumberLimits {
  std::optional<Decimal> min{}, max{};
  bool above_min = false, below_max = false;  ///< true: the bound itself is not allowed
  std::vector<Decimal> multiple_of{};
  bool any() const { return min || max || !multiple_of.empty(); }
};

enum class NumberKind : uint8_t { kAny, kInteger, kFraction };

/// Without exponents: an optional minus, digits, and unless kInteger an optional fraction; kFraction: a fraction that
/// is not 0. nullopt when it takes too many states.
std::optional<Dfa> numbers_within(const NumberLimits& limits, NumberKind kind);
bool is_within(const Decimal& value, const NumberLimits& limits);
/// The ways to write one number, as numbers_within would.
std::optional<Dfa> number_equal(const Decimal& value, NumberKind kind);

}  // namespace hearth::grammar
