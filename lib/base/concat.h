// Putting texts together: concat("tensor ", quoted(name), " has ", n, " rows"). One string is written to, by calls;
// a chain of operator+ has a temporary for every operand, and code that destroys each of them.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/quote.h"

namespace hearth {
namespace detail {

void put(std::string& to, const char* text);
void put(std::string& to, const std::string& text);
void put(std::string& to, std::string_view text);
void put(std::string& to, char c);
void put(std::string& to, Quoted name);
void put_signed(std::string& to, int64_t number);
void put_unsigned(std::string& to, uint64_t number);

template <std::integral Number>
inline void put(std::string& to, Number number) {
  if constexpr (std::signed_integral<Number>) {
    put_signed(to, number);
  } else {
    put_unsigned(to, number);
  }
}

}  // namespace detail

/// Appends texts, characters and whole numbers (in decimal digits).
template <typename... Parts>
[[gnu::always_inline]] inline void concat_to(std::string& to, const Parts&... parts) {
  (detail::put(to, parts), ...);
}

/// The text of all parts.
template <typename... Parts>
[[gnu::always_inline]] inline std::string concat(const Parts&... parts) {
  std::string text;
  concat_to(text, parts...);
  return text;
}

}  // namespace hearth
