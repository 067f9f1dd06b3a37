// What is fetched while few tokens are multiplied: all of the next tile, each part of it once.
#include "lib/matmul/prefetch.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(Prefetch, FewTokensShareOutTheNextTileWithoutGaps) {
  constexpr int64_t kLine = 64;
  for (const int64_t tile_bytes : {int64_t{36864}, int64_t{147456}, int64_t{69632}, int64_t{5184}}) {
    for (const int n_chunks : {1, 3, 4, 16}) {
      for (int n_tokens = 1; n_tokens <= 24; ++n_tokens) {
        const std::vector<std::byte> tile(static_cast<size_t>(tile_bytes));
        Prefetch prefetch = {tile.data()};
        prefetch.tile_bytes = tile_bytes;
        prefetch.n_chunks = n_chunks;
        prefetch.n_tokens = n_tokens;
        int64_t end = 0, fetched = 0;  // of the tile
        const auto follows = [&](const void* at, int64_t bytes) {
          const int64_t begin = static_cast<const std::byte*>(at) - tile.data();
          EXPECT_LE(begin, end + 1);  // a share may lose a part of a byte
          EXPECT_GE(begin, 0);
          end = std::max(end, begin + bytes);
          fetched += bytes;
        };
        for (int64_t chunk = 0; chunk < n_chunks; ++chunk) {
          kernels::WeightTile rows = {tile.data(), tile_bytes / kernels::kPanelRows, kernels::kPanelRows};
          prefetch.while_decoding(rows, chunk, 0);
          follows(rows.ahead, rows.ahead_bytes);
          for (int first = 0; first < n_tokens; first += kernels::kGroupCols) {
            kernels::ActGroup acts = {};
            acts.n_cols = std::min(kernels::kGroupCols, n_tokens - first);
            prefetch.while_multiplying(acts, chunk, first);
            EXPECT_TRUE(acts.ahead_far);
            follows(acts.ahead, int64_t{acts.ahead_bytes} * kernels::kPanelBlocks);
          }
        }
        EXPECT_GE(end, tile_bytes - 1);
        // Whole lines are fetched with each block of a panel: at most one too many.
        const int64_t calls = int64_t{n_chunks} * ((n_tokens + kernels::kGroupCols - 1) / kernels::kGroupCols);
        EXPECT_LE(fetched, tile_bytes + calls * kernels::kPanelBlocks * (kLine + 1));
      }
    }
  }
}

TEST(Prefetch, ManyTokensFetchThePanelThatFollows) {
  const std::byte weights[64] = {}, next[64] = {};
  Prefetch prefetch = {next};
  prefetch.n_chunks = 2;
  prefetch.many_tokens = true;
  kernels::WeightTile rows = {weights, 32, 2};
  prefetch.while_decoding(rows, 0, 16);
  EXPECT_EQ(rows.ahead, weights + 16);
  EXPECT_EQ(rows.ahead_stride, 32);
  EXPECT_EQ(rows.ahead_bytes, 0);
  prefetch.while_decoding(rows, 1, 16);
  EXPECT_EQ(rows.ahead, next);
}

}  // namespace
}  // namespace hearth
