// Panel of any integer type through its reference unpack function: slow to decode, as fast to multiply.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {

void decode_unpacked(void* panel, const WeightTile& tile, int64_t n,
                     void (*unpack)(const Unpacked& out, const void* blocks, int64_t n), int64_t block_size,
                     int64_t block_bytes) {
  constexpr int64_t kPiece = 256;  // a multiple of every block size
  int8_t code[kPiece];
  float scale[kPiece / 16];
  float min[kPiece / 16];
  for (int r = 0; r < kPanelRows; ++r) {
    const int row = (r < tile.n_rows) ? r : tile.n_rows - 1;
    const char* data = static_cast<const char*>(tile.data) + row * tile.row_bytes;
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t length = (n - i < kPiece) ? n - i : kPiece;
      unpack({code, scale, min}, data + i / block_size * block_bytes, length);
      for (int64_t b = 0; b < length / 32; ++b) {
        char* codes = codes_at(panel, i / 32 + b, r / 16) + r % 16 * 4;
        for (int j = 0; j < 32; ++j) {
          codes[j / 4 * 128 + j % 4] = static_cast<char>(code[32 * b + j] ^ static_cast<int8_t>(-128));
        }
        for (int half = 0; half < 2; ++half) {
          char* factors = codes + kCodeBytes + half * kHalfBytes;
          const float values[3] = {scale[2 * b + half], scale[2 * b + half] * kMagic, min[2 * b + half]};
          for (int plane = 0; plane < 3; ++plane) __builtin_memcpy(factors + plane * kPlaneBytes, &values[plane], 4);
        }
      }
    }
  }
}

}  // namespace hearth::kernels::avx512
