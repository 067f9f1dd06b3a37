// BigInt: integers beyond 64 bits, for Python's arithmetic. Bounded: results above kMaxBits are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::jinja {

class BigInt {
 public:
  /// About 4300 decimal digits, the length up to which Python converts integers to text.
  static constexpr size_t kMaxBits = 14300;

  BigInt() = default;
  explicit BigInt(int64_t value);
  /// Truncates a finite double; nullopt for infinities and NaN.
  static std::optional<BigInt> from_double(double value);
  /// Digits of `base` (2 to 36) without sign or prefix; nullopt when there is another character or too many.
  static std::optional<BigInt> parse(std::string_view digits, uint32_t base);

  bool is_negative() const { return negative_; }
  bool is_zero() const { return limbs_.empty(); }
  bool fits_int64() const;
  int64_t to_int64() const;  ///< meaningful only when fits_int64()
  double to_double() const;  ///< infinity when out of range; rounds half to even
  std::string to_string(uint32_t base = 10) const;
  size_t bits() const;
  bool is_odd() const { return !limbs_.empty() && (limbs_[0] & 1); }

  BigInt negated() const;
  static int compare(const BigInt& a, const BigInt& b);  ///< <0, 0, >0
  static BigInt add(const BigInt& a, const BigInt& b);
  static BigInt multiply(const BigInt& a, const BigInt& b);
  /// Floor division and its remainder (sign of the divisor), as Python has them. b is not zero.
  static void divmod(const BigInt& a, const BigInt& b, BigInt& quotient, BigInt& remainder);

 private:
  static int compare_magnitude(const BigInt& a, const BigInt& b);
  void trim();
  void multiply_add(uint32_t factor, uint32_t summand);
  uint32_t divide_small(uint32_t divisor);  // in place; returns the remainder

  bool negative_ = false;
  std::vector<uint32_t> limbs_;  // least significant first, no leading zeros
};

}  // namespace hearth::jinja
