// Codes of a few bits each into the bytes of blocks.
#pragma once

#include <cstdint>

#include "kernels/encode/lanes.h"

namespace hearth::kernels {
namespace {

/// Low nibbles of 32 codes: elements 0..15, then 16..31 in the high halves.
inline void put_nibbles(uint8_t* qs, const uint8_t* code) {
  for (int i = 0; i < 16; i += 8) store_bytes(qs + i, (load_bytes(code + i) & 15) | (load_bytes(code + 16 + i) << 4));
}

/// Low nibbles of 256 codes: of each 64, the first half in the low bits.
inline void put_nibble_pairs(uint8_t* qs, const uint8_t* code) {
  for (int i = 0; i < 128; i += 8) {
    const uint8_t* pair = code + 64 * (i / 32) + i % 32;
    store_bytes(qs + i, (load_bytes(pair) & 15) | (load_bytes(pair + 32) << 4));
  }
}

/// Two bits each of 256 codes: of each half, bits 2g..2g+1 of byte i belong to element 32 g + i.
inline void put_pairs_of_bits(uint8_t* qs, const uint8_t* code) {
  for (int i = 0; i < 64; i += 8) {
    const uint8_t* c = code + 128 * (i / 32) + i % 32;
    store_bytes(qs + i, (load_bytes(c) & 3) | ((load_bytes(c + 32) & 3) << 2) | ((load_bytes(c + 64) & 3) << 4) |
                            (load_bytes(c + 96) << 6));
  }
}

/// Bit `bit` of 32 * n_planes codes: bit j of byte i belongs to element 32 j + i.
inline void put_bit_planes(uint8_t* qh, const uint8_t* code, int bit, int n_planes) {
  for (int i = 0; i < 32; i += 8) {
    Bytes bits{};
    for (int j = 0; j < n_planes; ++j) bits |= ((load_bytes(code + 32 * j + i) >> bit) & 1) << j;
    store_bytes(qh + i, bits);
  }
}

/// Bit 4 of 32 codes, eight codes a byte.
inline void put_fifth_bits(uint8_t* qh, const uint8_t* code) {
  for (int j = 0; j < 4; ++j) {
    qh[j] = 0;
    for (int i = 0; i < 8; ++i) qh[j] = static_cast<uint8_t>(qh[j] | ((code[8 * j + i] >> 4) & 1) << i);
  }
}

}  // namespace
}  // namespace hearth::kernels
