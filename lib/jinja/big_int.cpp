// Schoolbook arithmetic on 32-bit limbs (Knuth, The Art of Computer Programming, volume 2, section 4.3.1).
#include "lib/jinja/big_int.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace hearth::jinja {

BigInt::BigInt(int64_t value) : negative_(value < 0) {
  uint64_t magnitude = negative_ ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  for (; magnitude != 0; magnitude >>= 32) limbs_.push_back(static_cast<uint32_t>(magnitude));
}

std::optional<BigInt> BigInt::from_double(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(std::trunc(value)), &exponent);  // [0.5, 1)
  BigInt out(static_cast<int64_t>(std::ldexp(fraction, 53)));
  for (int shift = exponent - 53; shift > 0;) {
    const int now = std::min(shift, 30);
    out = multiply(out, BigInt(int64_t{1} << now));
    shift -= now;
  }
  if (exponent < 53) out = BigInt(static_cast<int64_t>(std::fabs(std::trunc(value))));
  out.negative_ = value < 0 && !out.is_zero();
  return out;
}

std::optional<BigInt> BigInt::parse(std::string_view digits, uint32_t base) {
  if (digits.empty() || digits.size() > kMaxBits) return std::nullopt;
  BigInt out;
  uint32_t group = 0, scale = 1;  // digits are put in some at a time
  for (size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[i];
    uint32_t digit = 99;
    if (c >= '0' && c <= '9') digit = static_cast<uint32_t>(c - '0');
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') digit = static_cast<uint32_t>((c | 0x20) - 'a') + 10;
    if (digit >= base) return std::nullopt;
    group = group * base + digit;
    scale *= base;
    if (i + 1 < digits.size() && scale <= UINT32_MAX / base) continue;
    out.multiply_add(scale, group);
    group = 0;
    scale = 1;
  }
  if (out.bits() > kMaxBits) return std::nullopt;
  return out;
}

void BigInt::trim() {
  while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
  if (limbs_.empty()) negative_ = false;
}

size_t BigInt::bits() const {
  return limbs_.empty() ? 0 : limbs_.size() * 32 - static_cast<size_t>(std::countl_zero(limbs_.back()));
}

bool BigInt::fits_int64() const {
  if (bits() < 64) return true;
  return negative_ && limbs_.size() == 2 && limbs_[1] == 0x80000000u && limbs_[0] == 0;
}

int64_t BigInt::to_int64() const {
  uint64_t magnitude = 0;
  for (size_t i = std::min<size_t>(limbs_.size(), 2); i-- > 0;) magnitude = magnitude << 32 | limbs_[i];
  return static_cast<int64_t>(negative_ ? 0 - magnitude : magnitude);
}

double BigInt::to_double() const {
  const size_t n_bits = bits();
  if (n_bits > 1024) return negative_ ? -HUGE_VAL : HUGE_VAL;
  // The top 64 bits, with a sticky lowest bit, round correctly when converted once.
  const size_t drop = n_bits > 64 ? n_bits - 64 : 0;
  uint64_t top = 0;
  for (size_t i = drop; i < n_bits; ++i) {
    if (limbs_[i / 32] >> (i % 32) & 1) top |= uint64_t{1} << (i - drop);
  }
  bool sticky = false;
  for (size_t i = 0; i < drop / 32; ++i) sticky = sticky || limbs_[i] != 0;
  if (drop % 32 != 0) sticky = sticky || (limbs_[drop / 32] & ((uint32_t{1} << (drop % 32)) - 1)) != 0;
  if (sticky) top |= 1;
  const double magnitude = std::ldexp(static_cast<double>(top), static_cast<int>(drop));
  return negative_ ? -magnitude : magnitude;
}

/// this = this * factor + summand, of a number that is not negative.
void BigInt::multiply_add(uint32_t factor, uint32_t summand) {
  uint64_t carry = summand;
  for (uint32_t& limb : limbs_) {
    carry += uint64_t{limb} * factor;
    limb = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  if (carry != 0) limbs_.push_back(static_cast<uint32_t>(carry));
}

uint32_t BigInt::divide_small(uint32_t divisor) {
  uint64_t rest = 0;
  for (size_t i = limbs_.size(); i-- > 0;) {
    rest = rest << 32 | limbs_[i];
    limbs_[i] = static_cast<uint32_t>(rest / divisor);
    rest %= divisor;
  }
  trim();
  return static_cast<uint32_t>(rest);
}

std::string BigInt::to_string(uint32_t base) const {
  if (is_zero()) return "0";
  std::string out;
  BigInt rest = *this;
  rest.negative_ = false;
  uint32_t divisor = base;
  size_t n_digits = 1;  // taken off at a time
  for (; divisor <= UINT32_MAX / base; ++n_digits) divisor *= base;
  while (!rest.is_zero()) {
    uint32_t group = rest.divide_small(divisor);
    for (size_t i = 0; i < n_digits && (group != 0 || !rest.is_zero()); ++i, group /= base) {
      out.push_back("0123456789abcdefghijklmnopqrstuvwxyz"[group % base]);
    }
  }
  if (negative_) out.push_back('-');
  std::reverse(out.begin(), out.end());
  return out;
}

BigInt BigInt::negated() const {
  BigInt out = *this;
  out.negative_ = !negative_ && !is_zero();
  return out;
}

int BigInt::compare_magnitude(const BigInt& a, const BigInt& b) {
  if (a.limbs_.size() != b.limbs_.size()) return a.limbs_.size() < b.limbs_.size() ? -1 : 1;
  for (size_t i = a.limbs_.size(); i-- > 0;) {
    if (a.limbs_[i] != b.limbs_[i]) return a.limbs_[i] < b.limbs_[i] ? -1 : 1;
  }
  return 0;
}

int BigInt::compare(const BigInt& a, const BigInt& b) {
  if (a.negative_ != b.negative_) return a.negative_ ? -1 : 1;
  const int magnitude = compare_magnitude(a, b);
  return a.negative_ ? -magnitude : magnitude;
}

BigInt BigInt::add(const BigInt& a, const BigInt& b) {
  BigInt out;
  if (a.negative_ == b.negative_) {
    uint64_t carry = 0;
    for (size_t i = 0; i < std::max(a.limbs_.size(), b.limbs_.size()) || carry != 0; ++i) {
      carry += i < a.limbs_.size() ? a.limbs_[i] : 0;
      carry += i < b.limbs_.size() ? b.limbs_[i] : 0;
      out.limbs_.push_back(static_cast<uint32_t>(carry));
      carry >>= 32;
    }
    out.negative_ = a.negative_;
  } else {
    const bool a_larger = compare_magnitude(a, b) >= 0;
    const BigInt& large = a_larger ? a : b;
    const BigInt& small = a_larger ? b : a;
    int64_t borrow = 0;
    for (size_t i = 0; i < large.limbs_.size(); ++i) {
      int64_t digit = int64_t{large.limbs_[i]} - (i < small.limbs_.size() ? int64_t{small.limbs_[i]} : 0) + borrow;
      borrow = digit < 0 ? -1 : 0;
      out.limbs_.push_back(static_cast<uint32_t>(digit & 0xFFFFFFFF));
    }
    out.negative_ = large.negative_;
  }
  out.trim();
  return out;
}

BigInt BigInt::multiply(const BigInt& a, const BigInt& b) {
  BigInt out;
  out.limbs_.assign(a.limbs_.size() + b.limbs_.size(), 0);
  for (size_t i = 0; i < a.limbs_.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.limbs_.size() || carry != 0; ++j) {
      carry += out.limbs_[i + j] + uint64_t{a.limbs_[i]} * (j < b.limbs_.size() ? b.limbs_[j] : 0);
      out.limbs_[i + j] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
  }
  out.negative_ = a.negative_ != b.negative_;
  out.trim();
  return out;
}

void BigInt::divmod(const BigInt& a, const BigInt& b, BigInt& quotient, BigInt& remainder) {
  BigInt divisor = b;
  divisor.negative_ = false;
  BigInt q, r;
  q.limbs_.assign(a.limbs_.size(), 0);
  // Bit by bit: at most kMaxBits rounds, each linear.
  for (size_t i = a.bits(); i-- > 0;) {
    uint32_t carry = a.limbs_[i / 32] >> (i % 32) & 1;
    for (uint32_t& limb : r.limbs_) {
      const uint32_t top = limb >> 31;
      limb = limb << 1 | carry;
      carry = top;
    }
    if (carry != 0) r.limbs_.push_back(carry);
    if (compare_magnitude(r, divisor) >= 0) {
      r = add(r, divisor.negated());
      q.limbs_[i / 32] |= uint32_t{1} << (i % 32);
    }
  }
  q.negative_ = a.negative_ != b.negative_;
  q.trim();
  r.negative_ = a.negative_;
  r.trim();
  if (!r.is_zero() && r.negative_ != b.negative_) {
    r = add(r, b);
    q = add(q, BigInt(-1));
  }
  quotient = std::move(q);
  remainder = std::move(r);
}

}  // namespace hearth::jinja
