// What a worker prefetches while it multiplies a tile: the weights that it reads next, so that memory stays busy while
// it computes. Nothing here changes a result.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace hearth {

/// Travels with a tile from the splitting of a product down to the kernels.
struct Prefetch {
  /// First byte of what the worker will probably read after this tile; nullptr: not known.
  const std::byte* next_tile = nullptr;

  // Set where the tile is multiplied panel by panel.
  int64_t tile_bytes = 0;
  int64_t n_chunks = 1;  ///< panels of the tile, each a chunk of k
  int n_groups = 1;      ///< of tokens that every panel meets
  /// Few tokens: reading weights is a good part of the work, so multiplying them prefetches the next tile. With more,
  /// decoding prefetches the next panel, and multiplying the activations.
  bool many_tokens = false;

  /// For the decoding of a chunk of `rows`.
  void while_decoding(kernels::WeightTile& rows, int64_t chunk, int64_t chunk_bytes) const {
    const auto* next_chunk = static_cast<const std::byte*>(rows.data) + chunk_bytes;
    const bool last = chunk + 1 == n_chunks;
    rows.ahead = !many_tokens ? nullptr : last && next_tile != nullptr ? next_tile : next_chunk;
    rows.ahead_stride = rows.row_bytes;
  }

  /// For the meeting of a chunk's panel and a group of tokens.
  void while_multiplying(kernels::ActGroup& acts, int64_t chunk, int group) const {
    if (many_tokens) {
      next_group(acts);
    } else if (next_tile != nullptr) {
      share_of_next_tile(acts, chunk * n_groups + group, n_chunks * n_groups);
    }
  }

 private:
  /// The activations behind these in memory: 47 bytes per token and block in the planes of codes, d, sum256, d256,
  /// sum32 and init32.
  static void next_group(kernels::ActGroup& acts) {
    constexpr int64_t kLastPlane = int64_t{kernels::kPanelBlocks} * 2;
    acts.ahead = acts.init16 + (kLastPlane * acts.n_cols + 15) / 16 * 16;
    acts.ahead_bytes = (47 * acts.n_cols + 63) / 64 * 64;
  }

  void share_of_next_tile(kernels::ActGroup& acts, int64_t share, int64_t n_shares) const {
    acts.ahead = next_tile + tile_bytes * share / n_shares / 64 * 64;
    acts.ahead_bytes = static_cast<int32_t>((tile_bytes / n_shares / kernels::kPanelBlocks + 1 + 63) / 64 * 64);
    acts.ahead_far = true;
  }
};

}  // namespace hearth
