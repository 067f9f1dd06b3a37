// AdapterPass: what the adapters of a session do in one forward pass: which rows of a stage each changes and by how
// much, the low-rank vectors A x of the layers in hand, and where they are added.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/buffer.h"
#include "lib/matmul/matmul.h"
#include "lib/model/adapter_impl.h"

namespace hearth {

struct ForwardContext;
struct BatchToken;

/// One adapter in a pass.
struct ActiveAdapter {
  const Adapter::Impl* adapter = nullptr;
  float* scale = nullptr;      ///< [n_batch] of each row of the stage in hand; 0: the row does not use it
  int32_t* chosen = nullptr;   ///< [n_batch] 0, or -1 where scale is 0
  int32_t* experts = nullptr;  ///< [n_routed] of a routed layer: its experts; else groups of rows; or -1
  int n_chosen = 0;            ///< rows that use it; 0: the pass goes without it
};

/// Sizes of the work memory of an AdapterPass.
struct AdapterSizes {
  int64_t n_batch = 1;   ///< rows of a stage
  int64_t n_routed = 1;  ///< rows of a routed layer
  int n_adapters = 0;
  int64_t sum_of_ranks = 0;  ///< of the adapters' largest ranks
};

/// Layers of one product that share their input.
inline constexpr size_t kMostLinears = 8;

/// A layer by its tensor.
struct LinearRef {
  std::string_view name;  ///< as of Linear
  int64_t first_row = 0;
  int64_t n_rows = 0;  ///< of the matrix
};

class AdapterPass {
 public:
  /// Cuts work memory out of `layout`; with a counting Layout only the sizes matter.
  void lay_out(Layout& layout, const AdapterSizes& sizes);

  /// n_adapters of them, whose `adapter` is to be set once, and `scale` for every batch.
  std::span<ActiveAdapter> adapters() { return active_; }
  std::span<const ActiveAdapter> adapters() const { return active_; }
  /// Rows are those of a batch of n tokens, and every `scale` is filled. False when no row uses any adapter.
  bool begin(int n);
  /// From here on the rows are only these of the former ones; they ascend.
  void keep(std::span<const int32_t> rows);

  /// x[t] += embedding_scale * B a_t of the embedding, for tokens that use it; c.scratch->y is overwritten.
  void embed(const ForwardContext& c, std::span<const BatchToken> batch);
  bool steers(int layer) const;
  /// x[t] += scale * direction of the layer.
  void steer(int layer, float* x, int64_t d_model) const;

  /// Computes A x for up to kMostLinears layers with the same input; updates(i) is what the product of layers[i] adds.
  /// With a routing, rows are its entries.
  void project(const MatmulContext& ctx, const Activations& x, std::span<const LinearRef> layers,
               const Routing* routing);
  std::span<const LowRankUpdate> updates(size_t i) const {
    return {updates_.data() + first_[i], first_[i + 1] - first_[i]};
  }
  /// kLimit when work memory was too small for something since the last call.
  Status take_status();

 private:
  /// A product A x that is to be computed.
  struct Projection {
    const LowRankPair* pair;
    size_t adapter;
    float* low;
  };
  void count_chosen(ActiveAdapter& a) const;
  void choose_experts(const Routing& routing);
  void add_updates(const LinearRef& layer, const Routing* routing, int64_t n_rows);
  float* low_of(const LowRankPair& pair, size_t adapter, int64_t n_rows);
  float* take_low(int64_t n_rows, int64_t rank);
  int choose_groups(ActiveAdapter& a) const;
  void multiply(const MatmulContext& ctx, const Activations& x, size_t adapter, const Routing* routing);
  void scale_low(float* low, int64_t n_rows, int64_t rank, const ActiveAdapter& a, float strength) const;
  /// Whether the pass has something to do for this adapter.
  bool is_used(size_t adapter) const { return active_[adapter].n_chosen > 0; }

  AdapterSizes sizes_;
  std::vector<ActiveAdapter> active_;
  std::vector<LowRankUpdate> updates_;   ///< with room for kMostLinears of every adapter
  std::vector<Projection> projections_;  ///< likewise
  size_t first_[kMostLinears + 1] = {};
  int n_rows_ = 0;
  float* low_ = nullptr;
  int64_t low_used_ = 0, low_size_ = 0;  ///< floats
  int32_t* row_ = nullptr;               ///< [n_batch] 0, 1, 2, ...
  bool overflowed_ = false;
};

}  // namespace hearth
