// Tile registers and bfloat16 for kernels/amx compiled to portable code: what the instructions do according to the
// Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 1, chapter 18, and vol. 2 (LDTILECFG, TILELOADD,
// TILESTORED, TDPBF16PS, VCVTNE2PS2BF16). What the processor answers with a fault ends the program.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace hearth_emulation {
namespace {

constexpr int kTiles = 8, kMaxRows = 16, kMaxRowBytes = 64;

/// A register of `rows` rows of row_bytes bytes each; what lies beyond is zero.
struct Tile {
  int rows = 0, row_bytes = 0;
  unsigned char row[kMaxRows][kMaxRowBytes] = {};
};
/// Each thread has its own. Rows of no tile: they are not configured.
thread_local Tile tiles[kTiles];

inline void fault_unless(bool allowed) {
  if (!allowed) __builtin_trap();
}
inline Tile& tile_of(int index) {
  fault_unless(index >= 0 && index < kTiles && tiles[index].rows > 0);
  return tiles[index];
}

inline void release_tiles() {
  for (Tile& tile : tiles) tile = {};
}

/// Byte 0 names the palette, words from byte 16 on are the bytes of a row, bytes from 48 on the rows.
inline void configure_tiles(const void* memory) {
  unsigned char config[64];
  std::memcpy(config, memory, sizeof config);
  release_tiles();
  if (config[0] == 0) return;
  fault_unless(config[0] == 1);
  for (int i = 2; i < 16; ++i) fault_unless(config[i] == 0);
  for (int i = 0; i < 16; ++i) {
    uint16_t row_bytes;
    std::memcpy(&row_bytes, config + 16 + 2 * i, sizeof row_bytes);
    const int rows = config[48 + i];
    fault_unless(rows <= kMaxRows && row_bytes <= kMaxRowBytes && (rows == 0) == (row_bytes == 0));
    fault_unless(i < kTiles || rows == 0);
    if (i < kTiles) tiles[i].rows = rows, tiles[i].row_bytes = row_bytes;
  }
}

inline void zero_tile(int index) {
  std::memset(tile_of(index).row, 0, sizeof Tile::row);
}
inline void load_tile(int index, const void* memory, int64_t stride) {
  Tile& tile = tile_of(index);
  zero_tile(index);
  for (int r = 0; r < tile.rows; ++r) {
    std::memcpy(tile.row[r], static_cast<const char*>(memory) + r * stride, static_cast<size_t>(tile.row_bytes));
  }
}
inline void store_tile(int index, void* memory, int64_t stride) {
  const Tile& tile = tile_of(index);
  for (int r = 0; r < tile.rows; ++r) {
    std::memcpy(static_cast<char*>(memory) + r * stride, tile.row[r], static_cast<size_t>(tile.row_bytes));
  }
}

/// Numbers below the smallest normal one become zero.
inline float flushed(float x) {
  return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x;
}
inline float multiply_add(float a, float b, float c) {
  return flushed(std::fma(flushed(a), flushed(b), flushed(c)));
}
inline float float_of_bf16(const unsigned char* p) {
  uint16_t half;
  std::memcpy(&half, p, sizeof half);
  const uint32_t bits = uint32_t{half} << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// Products of even and of odd elements are summed apart, then both are added.
inline void multiply_tiles(int sums, int left, int right) {
  const Tile &a = tile_of(left), &b = tile_of(right);
  Tile& c = tile_of(sums);
  fault_unless(sums != left && sums != right && left != right);
  fault_unless(a.row_bytes % 4 == 0 && b.row_bytes % 4 == 0);
  fault_unless(c.rows == a.rows && c.row_bytes == b.row_bytes && a.row_bytes == 4 * b.rows);
  for (int m = 0; m < c.rows; ++m) {
    for (int n = 0; n < c.row_bytes; n += 4) {
      float even = 0, odd = 0, sum;
      for (int k = 0; k < b.rows; ++k) {
        even = multiply_add(float_of_bf16(a.row[m] + 4 * k), float_of_bf16(b.row[k] + n), even);
        odd = multiply_add(float_of_bf16(a.row[m] + 4 * k + 2), float_of_bf16(b.row[k] + n + 2), odd);
      }
      std::memcpy(&sum, c.row[m] + n, sizeof sum);
      sum = flushed(flushed(sum) + flushed(even + odd));
      std::memcpy(c.row[m] + n, &sum, sizeof sum);
    }
  }
}

/// To nearest, ties to even.
inline uint16_t bf16_of_float(float x) {
  x = flushed(x);
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline __m512bh bf16_of_two(__m512 high, __m512 low) {
  const Lanes<float, 16> h(high), l(low);
  Lanes<uint16_t, 32> out;
  for (int i = 0; i < 16; ++i) out.v[i] = bf16_of_float(l.v[i]), out.v[16 + i] = bf16_of_float(h.v[i]);
  return out;
}
inline __m256bh bf16_of_one(__m512 a) {
  return map<Lanes<uint16_t, 16>>(Lanes<float, 16>(a), bf16_of_float);
}

}  // namespace
}  // namespace hearth_emulation

#undef _tile_loadconfig
#define _tile_loadconfig(...) hearth_emulation::configure_tiles(__VA_ARGS__)
#undef _tile_release
#define _tile_release() hearth_emulation::release_tiles()
#undef _tile_zero
#define _tile_zero(...) hearth_emulation::zero_tile(__VA_ARGS__)
#undef _tile_loadd
#define _tile_loadd(...) hearth_emulation::load_tile(__VA_ARGS__)
#undef _tile_stream_loadd
#define _tile_stream_loadd(...) hearth_emulation::load_tile(__VA_ARGS__)
#undef _tile_stored
#define _tile_stored(...) hearth_emulation::store_tile(__VA_ARGS__)
#undef _tile_dpbf16ps
#define _tile_dpbf16ps(...) hearth_emulation::multiply_tiles(__VA_ARGS__)
#undef _mm512_cvtne2ps_pbh
#define _mm512_cvtne2ps_pbh(...) hearth_emulation::bf16_of_two(__VA_ARGS__)
#undef _mm512_cvtneps_pbh
#define _mm512_cvtneps_pbh(...) hearth_emulation::bf16_of_one(__VA_ARGS__)
