// Tiles of any type of integer codes, by the reference of the type.
#include "kernels/reference/generic_decode.h"

namespace hearth::kernels::reference {

void decode_unpacked(void* panel, const WeightTile& tile, int64_t n, PanelKind kind, Unpack unpack, int64_t block_size,
                     int64_t block_bytes, PutBlock put_block) {
  constexpr int64_t kPiece = 256;  // elements at once; a multiple of every block size
  int8_t code[kPiece];
  float scale[kPiece / 16];
  float min[kPiece / 16];
  for (int r = 0; r < kPanelRows; ++r) {
    const int row = (r < tile.n_rows) ? r : tile.n_rows - 1;
    const auto share =
        reinterpret_cast<uintptr_t>(tile.ahead) + static_cast<uintptr_t>(tile.ahead_bytes / kPanelRows * r);
    for (int64_t i = 0; i < tile.ahead_bytes / kPanelRows; i += 64) {
      __builtin_prefetch(reinterpret_cast<const void*>(share + static_cast<uintptr_t>(i)), 0, 2);
    }
    const char* data = static_cast<const char*>(tile.data) + row * tile.row_bytes;
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t length = (n - i < kPiece) ? n - i : kPiece;
      unpack({code, scale, min}, data + i / block_size * block_bytes, length);
      for (int64_t j = 0; j < length; j += kActBlock) {
        put_block(panel, kind, (i + j) / kActBlock, r, {code + j, scale + j / 16, min + j / 16});
      }
    }
  }
}

}  // namespace hearth::kernels::reference
