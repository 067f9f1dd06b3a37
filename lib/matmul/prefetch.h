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
  int n_tokens = 1;      ///< that every panel meets
  /// Few tokens: reading weights is a good part of the work, so decoding and multiplying them prefetch the next tile.
  /// With more, decoding prefetches the next panel, and multiplying the activations.
  bool many_tokens = false;

  /// For the decoding of a chunk of `rows`.
  void while_decoding(kernels::WeightTile& rows, int64_t chunk, int64_t chunk_bytes) const {
    const bool last = chunk + 1 == n_chunks;
    if (many_tokens) {
      rows.ahead = last && next_tile != nullptr ? next_tile : static_cast<const std::byte*>(rows.data) + chunk_bytes;
      rows.ahead_stride = rows.row_bytes;
    } else if (next_tile != nullptr) {
      const Share share = share_of_next_tile(chunk, 0, kDecodingInTokens);
      rows.ahead = share.data;
      rows.ahead_bytes = share.bytes;
    }
  }

  /// For the meeting of a chunk's panel and a group of tokens, the first of which is token `first` of the panel's.
  void while_multiplying(kernels::ActGroup& acts, int64_t chunk, int first) const {
    if (many_tokens) {
      next_group(acts);
    } else if (next_tile != nullptr) {
      const Share share = share_of_next_tile(chunk, kDecodingInTokens + first, acts.n_cols);
      acts.ahead = share.data;
      acts.ahead_bytes = static_cast<int32_t>((share.bytes / kernels::kPanelBlocks + 1 + 63) / 64 * 64);
      acts.ahead_far = true;
    }
  }

 private:
  /// The activations behind these in memory: 47 bytes per token and block in the planes of codes, d, sum256, d256,
  /// sum32 and init32.
  static void next_group(kernels::ActGroup& acts) {
    constexpr int64_t kLastPlane = int64_t{kernels::kPanelBlocks} * 2;
    acts.ahead = acts.init16 + ((kLastPlane * acts.n_cols + 15) & ~int64_t{15});
    acts.ahead_bytes = (47 * acts.n_cols + 63) & ~63;  // in code built for size a division would divide
  }

  /// Decoding a panel takes as long as multiplying it by about so many tokens (Q4_K 4, Q6_K 7, AVX-512).
  static constexpr int kDecodingInTokens = 5;

  struct Share {
    const std::byte* data;
    int64_t bytes;
  };
  /// Memory should be busy all the time, so the next tile is divided by the time that everything takes, which is told
  /// in tokens: what belongs to n of them, from `begin` on, of a chunk.
  Share share_of_next_tile(int64_t chunk, int begin, int n) const {
    const int64_t of_chunk = kDecodingInTokens + n_tokens, all = of_chunk * n_chunks;
    return {next_tile + tile_bytes * (of_chunk * chunk + begin) / all, tile_bytes * n / all};
  }
};

}  // namespace hearth
