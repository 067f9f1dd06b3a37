// Strips of weights times few columns.
#include "kernels/avx512/few_columns.h"

#include "kernels/avx512/multiply.h"

namespace hearth::kernels::avx512 {
namespace {

/// Decoded, not yet multiplied.
struct Strip {
  char* codes;  ///< one group of a panel
  ActGroup x;   ///< from its first block on
  int n;        ///< blocks
};

/// Moves a group on by n blocks, of which whole superblocks count.
void move_on(ActGroup& x, int n) {
  x.q += n * kActBlock * x.n_cols;
  x.d += n * x.n_cols;
  x.sum16 += 2 * n * x.n_cols;
  x.sum32 += n * x.n_cols;
  x.init16 += 2 * n * x.n_cols;
  x.init32 += n * x.n_cols;
  x.sum256 += n / 8 * 4 * x.n_cols;
  x.d256 += n / 8 * x.n_cols;
}

template <int kHalves, bool kMin>
void multiply(float* totals, const Strip& strip, bool super_mins) {
  multiply_groups<1, kHalves, kMin>(totals, strip.codes, strip.x, strip.n, false, super_mins);
}

using MultiplyStrip = void (*)(float* totals, const Strip& strip, bool super_mins);

MultiplyStrip multiply_for(PanelKind kind) {
  switch (kind) {
    case PanelKind::kScale32: return multiply<1, false>;
    case PanelKind::kScale32Min: return multiply<1, true>;
    case PanelKind::kScale16: return multiply<2, false>;
    default: return multiply<2, true>;
  }
}

}  // namespace

void few_columns(const RowsDecoder& type, float* out, int64_t ldo, const WeightTile& tile, const void* acts,
                 int64_t stride, int64_t k, int n_cols) {
  alignas(64) char codes[2][kStripBlocks * kBlockStride];
  const MultiplyStrip multiply = multiply_for(type.kind);
  for (int i = 0; i < LaneRows::rows_per_lane(tile); ++i) {
    LaneRows lanes(tile, i);
    alignas(64) float totals[kGroupCols * 16] = {};
    Strip last = {};  // what was just stored is loaded a little later
    int64_t at = 0;
    const char* chunk = static_cast<const char*>(acts);
    for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
      ActGroup x = act_group_at(const_cast<char*>(chunk), kChunk, n_cols);
      const auto n_blocks = static_cast<int>((left < kChunk ? left : kChunk) / kActBlock);
      for (int b = 0; b < n_blocks; b += kStripBlocks) {
        const int n = n_blocks - b < kStripBlocks ? n_blocks - b : kStripBlocks;
        const Strip strip = {last.codes == codes[0] ? codes[1] : codes[0], x, n};
        lanes.come_to(at);
        type.decode(strip.codes, lanes.rows, at, n);
        if (last.n > 0) multiply(totals, last, type.super_mins);
        last = strip;
        at += n / type.blocks * type.bytes;
        move_on(x, n);
      }
    }
    if (last.n > 0) multiply(totals, last, type.super_mins);
    for (int c = 0; c < n_cols; ++c) lanes.store(out + c * ldo, _mm512_load_ps(totals + 16 * c));
  }
}

}  // namespace hearth::kernels::avx512
