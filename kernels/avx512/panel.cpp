// Panels of all types: their rows, and how a decoder fills them.
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {

Rows::Rows(const WeightTile& tile, int first, int step) {
  const auto* data = static_cast<const uint8_t*>(tile.data);
  const int last = tile.n_rows - 1;
  first = (first < last) ? first : last;
  const uint8_t* p = data + first * tile.row_bytes;
  const uint8_t* end = data + last * tile.row_bytes;
  const int64_t stride = step * tile.row_bytes;
#pragma GCC unroll 16
  for (int r = 0; r < 16; ++r) {
    row[r] = p;
    p = (end - p < stride) ? end : p + stride;
  }
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i index =
      _mm512_min_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(step)), _mm512_set1_epi32(last - first));
  offset = _mm512_mullo_epi32(index, _mm512_set1_epi32(static_cast<int32_t>(tile.row_bytes)));
}

void decode_tile(const RowsDecoder& type, void* panel, const WeightTile& tile, int64_t n) {
  store_header(panel, type.super_mins);
  for (int g = 0; g < 2; ++g) {
    Rows rows(tile, 16 * g, 1);
    rows.take_share(tile, 16 * g, 16, n / (kActBlock * type.blocks), type.bytes);
    type.decode(codes_at(panel, 0, g), rows, 0, n / kActBlock);
  }
}

}  // namespace hearth::kernels::avx512
