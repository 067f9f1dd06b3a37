// The letters that byte-level vocabularies write for bytes (GPT-2's table): printable Latin-1 stands for itself,
// the other bytes follow from U+0100 on.
#pragma once

#include <array>
#include <cstdint>

namespace hearth {

inline constexpr std::array<uint16_t, 256> kLetterOfByte = [] {
  std::array<uint16_t, 256> letters{};
  uint16_t next = 0x100;
  for (uint16_t b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    letters[b] = printable ? b : next++;
  }
  return letters;
}();

/// Byte of a letter, or -1; letters lie below U+0180.
inline constexpr std::array<int16_t, 0x180> kByteOfLetter = [] {
  std::array<int16_t, 0x180> bytes{};
  for (int16_t& b : bytes) b = -1;
  for (int16_t b = 0; b < 256; ++b) bytes[kLetterOfByte[static_cast<size_t>(b)]] = b;
  return bytes;
}();

/// Byte that the code point stands for, or -1.
inline int byte_of_letter(uint32_t code_point) {
  return code_point < kByteOfLetter.size() ? kByteOfLetter[code_point] : -1;
}

}  // namespace hearth
