// The eight tile registers (Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 1, chapter 18): a tile
// is up to 16 rows of 64 bytes. TDPBF16PS adds to every float of a sum tile C [M][N] the products of a row of A [M][32]
// and a column of B [16][N][2], all bfloat16.
//
// Which tile is what, everywhere in this folder: sums of two blocks of rows of A by two of columns of B, and those.
//   0  A0 B0     1  A0 B1     4  A0     6  B0
//   2  A1 B0     3  A1 B1     5  A1     7  B1
#pragma once

// GCC 12 reports the deliberately undefined operands of its own intrinsics (GCC bug 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

namespace hearth::kernels::amx {
namespace {

constexpr int kTileRows = 16;
constexpr int64_t kTileBytes = 1024;
/// Of 32 elements of a block of 32 rows of weights.
constexpr int64_t kStepBytes = 2 * kTileBytes;
/// Elements of a row of A and of a column of B.
constexpr int kTileDepth = 32;

/// What LDTILECFG reads.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

/// Sets the tiles up for A0 of `first` rows and A1 of `second` (0: it is not used); B and sums are 16 wide.
inline __attribute__((always_inline)) void configure(int first, int second) {
  TileConfig config;
  const int rows[8] = {first, first, second, second, first, second, kTileRows, kTileRows};
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    config.rows[i] = static_cast<uint8_t>(rows[i]);
    config.row_bytes[i] = rows[i] == 0 ? 0 : 64;
  }
  // GCC 12 believes that its intrinsic reads eight bytes, and may leave the other stores out (GCC bug 114098).
  asm volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
}

/// Sets up what it is told, and gives the tiles back in the end, so that a task switch has nothing to save.
struct Tiles {
  int first = 0, second = 0;

  inline __attribute__((always_inline)) void shape(int first_rows, int second_rows) {
    if (first_rows == first && second_rows == second) return;
    first = first_rows;
    second = second_rows;
    configure(first, second);
  }
  inline __attribute__((always_inline)) ~Tiles() { _tile_release(); }
};

}  // namespace
}  // namespace hearth::kernels::amx
