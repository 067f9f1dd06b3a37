// Bounds of what a file may ask for, so that later arithmetic on sizes cannot overflow.
#pragma once

#include <cstdint>

namespace hearth {

inline constexpr int64_t kMaxLayers = 1024;
inline constexpr int64_t kMaxWidth = 1 << 20;  // d_model, d_ff, n_heads * head_dim
inline constexpr int64_t kMaxHeads = 1024;
inline constexpr int64_t kMaxHeadDim = 4096;
inline constexpr int64_t kMaxExperts = 4096;
inline constexpr int64_t kMaxContext = 1 << 27;

}  // namespace hearth
