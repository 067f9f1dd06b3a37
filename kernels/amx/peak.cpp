// The peak of bfloat16 products in tiles: four sums, whose tiles are loaded from the first-level cache each time.
#include "kernels/amx/overlay.h"
#include "kernels/amx/tiles.h"

namespace hearth::kernels::amx {
namespace {

int64_t bf16_peak(int64_t rounds) {
  alignas(64) char zeros[4 * kTileBytes] = {};
  Tiles tiles;
  tiles.shape(kTileRows, kTileRows);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_loadd(4, zeros, 64);
    _tile_loadd(5, zeros + kTileBytes, 64);
    _tile_loadd(6, zeros + 2 * kTileBytes, 64);
    _tile_loadd(7, zeros + 3 * kTileBytes, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  return rounds * 4 * kTileRows * kTileRows * kTileDepth;
}

}  // namespace

void overlay_peak(KernelTable& table) {
  table.bf16_peak = bf16_peak;
}

}  // namespace hearth::kernels::amx
