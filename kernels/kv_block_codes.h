// Parts of writing positions of KV types of blocks that are the same for every instruction set: what codes stand for,
// and the scales that are tried. Of internal linkage, see kv_types.h.
#pragma once

#include <cstddef>
#include <cstring>

#include "kernels/kv_blocks.h"

namespace hearth::kernels {
namespace {

/// What a type's n codes stand for, ascending: value[code] for the first 32, then steps of 1.
struct KvLevels {
  float value[32];
  int n;
};

constexpr KvLevels kv_levels_of(KvType type) {
  const KvBlockSpec spec = kv_block_spec(type);
  KvLevels levels{{}, 1 << spec.bits};
  for (int i = 0; i < levels.n && i < 32; ++i) {
    levels.value[i] =
        static_cast<float>(spec.codes == KvCodes::kTable ? kv_code_table(type).value[i] : i - spec.offset);
  }
  return levels;
}
template <KvType kType>
constexpr KvLevels kKvLevels = kv_levels_of(kType);

/// Between the level of a code and the next.
constexpr float kv_bound(const KvLevels& levels, int code) {
  return 0.5f * (levels.value[code] + levels.value[code + 1]);
}

/// First scales that are tried for types with few codes, as shares of the one that makes the largest element a code:
/// one that cuts it short may fit the others better.
constexpr int kKvShareCount = 2;
constexpr float kKvShares[kKvShareCount] = {1.0f, 0.95f};

template <typename T>
inline T get_kv(const void* memory, int64_t byte) {
  T x;
  std::memcpy(&x, static_cast<const std::byte*>(memory) + byte, sizeof x);
  return x;
}
template <typename T>
inline void put_kv(void* memory, int64_t byte, T x) {
  std::memcpy(static_cast<std::byte*>(memory) + byte, &x, sizeof x);
}

}  // namespace
}  // namespace hearth::kernels
