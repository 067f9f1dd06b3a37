// Panel of any integer type through its reference unpack function: slow to decode, signed codes.
#include "kernels/avx2/matmul.h"
#include "kernels/avx2/panel.h"

namespace hearth::kernels::avx2 {

void decode_unpacked(void* panel, const WeightTile& tile, int64_t n,
                     void (*unpack)(const Unpacked& out, const void* blocks, int64_t n), int64_t block_size,
                     int64_t block_bytes) {
  constexpr int64_t kPiece = 256;  // a multiple of every block size
  int8_t code[kPiece];
  float scale[kPiece / 16];
  float min[kPiece / 16];
  constexpr Codes kCodes = Codes::kSigned;
  store_header(panel, kCodes);
  for (int r = 0; r < kPanelRows; ++r) {
    const int row = (r < tile.n_rows) ? r : tile.n_rows - 1;
    const char* data = static_cast<const char*>(tile.data) + row * tile.row_bytes;
    char* lane = static_cast<char*>(panel) + r / 16 * half_stride(kCodes) + r % 16 * 4;
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t length = (n - i < kPiece) ? n - i : kPiece;
      unpack({code, scale, min}, data + i / block_size * block_bytes, length);
      for (int64_t b = 0; b < length / 32; ++b) {
        char* block = lane + (i / 32 + b) * block_stride(kCodes);
        for (int64_t s = 0; s < 8; ++s) __builtin_memcpy(block + s * step_bytes(kCodes), &code[32 * b + 4 * s], 4);
        char* planes = block + code_bytes(kCodes);
        for (int64_t half = 0; half < 2; ++half) {
          __builtin_memcpy(planes + (kScalePlane + half) * kRowsBytes, &scale[2 * b + half], 4);
          __builtin_memcpy(planes + (kMinPlane + half) * kRowsBytes, &min[2 * b + half], 4);
        }
      }
    }
  }
}

}  // namespace hearth::kernels::avx2
