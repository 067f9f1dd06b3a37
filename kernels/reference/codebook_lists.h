// The codebooks as encoders search them: entries by their halves, and for each pattern of levels the entries nearest to
// it.
#pragma once

#include <cstdint>

namespace hearth::kernels::reference {

enum class BookName { kIQ2_XXS, kIQ2_XS, kIQ2_S, kIQ3_XXS, kIQ3_S, kIQ1, kCount };

/// A vector of `dims` elements, each one of `n_levels` values, is two halves, a half two digits, and a digit two
/// elements of three levels or one of eight: digit = level of the first element + 3 * level of the second. A half is
/// the number digit 0 + stride * digit 1.
struct Book {
  static constexpr int kNear = 16;      ///< entries in a list
  static constexpr int kMaxHalf = 144;  ///< numbers of a half are below that
  int dims, n_levels, n_entries;
  int n_digit, stride;            ///< digits of nine values, 16 apart, or of eight
  const int8_t* levels;           ///< [n_levels] ascending
  const int8_t (*value)[8];       ///< [n_entries] elements; zeros behind `dims`
  const uint16_t (*near)[kNear];  ///< [n_levels^dims] by sum of level * n_levels^k: the nearest entries first
  const uint8_t (*half)[2];       ///< [n_entries] numbers of the low and the high half
  const uint16_t* first;          ///< [kMaxHalf + 1] where the entries of a low half begin in:
  const uint16_t* by_low;         ///< [n_entries] entries by their low half
  float digit[2][16];             ///< values of the first and the second element of a digit; 0 where there is none
};

/// Lists are made at the first call for each book (some 50 ms); any thread.
const Book& find_book(BookName name);

}  // namespace hearth::kernels::reference
