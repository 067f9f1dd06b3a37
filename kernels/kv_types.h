// KV types: how elements of cached keys and values are stored, and what a page of them looks like.
//
// A page holds 64 positions of one KV head. Its layout is a contract: saved caches and shifting rely on it.
//   keys of a plain type (block_size 1):    elements [k_dim, 64]: element d of position t stands at d * 64 + t
//   values of a plain type:                 elements [64, v_dim]
//   keys of a block type, w = 4 elements (8-bit codes) or 8 (others):
//     words of codes [k_padded / w, 64] | fifth bits [k_padded / 32, 64] | scales [k_padded / 32, 64] | minimums (the
//     same)
//   values of a block type:
//     codes [64, v_padded] | fifth bits [64, v_padded / 32] | scales [v_padded / 32, 64] | minimums (the same)
// where padded means rounded up to whole blocks, fifth bits are 32-bit words of types with 5 bits, scales are halves,
// and minimums are halves of types that have them; kv_blocks.h has the order of codes in words. What shares a byte
// belongs to one position, so that a position is written without reading others. Either way a page takes 64 times the
// bytes of one position, and every array in it begins at a multiple of 64 bytes. Numbers are little-endian.
#pragma once

#include <cstdint>

namespace hearth::kernels {

/// In the order of kv_types.inc; mirrored by hearth::KVType (checked in lib/cache).
enum class KvType : uint8_t {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) k##Name,
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
};

struct KvTypeInfo {
  const char* name;
  int block_size;   ///< elements of a position that share a scale; 1: none do
  int block_bytes;  ///< of a block's codes and scale
};

/// Of internal linkage, like the functions that use it: an inline variable would be a weak symbol of wide-instruction
/// objects.
static constexpr KvTypeInfo kKvTypeInfos[] = {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) {name, block_size, block_bytes},
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
};
inline constexpr int kKvTypeCount = static_cast<int>(sizeof(kKvTypeInfos) / sizeof(kKvTypeInfos[0]));

static inline constexpr KvTypeInfo kv_type_info(KvType type) {
  return kKvTypeInfos[static_cast<int>(type)];
}

inline constexpr int kPageTokens = 64;  ///< positions of a page; equals KVCache::kPageTokens

/// Bytes of the keys or the values of one position of one head.
static inline constexpr int64_t kv_position_bytes(KvType type, int64_t dim) {
  const KvTypeInfo info = kv_type_info(type);
  return (dim + info.block_size - 1) / info.block_size * info.block_bytes;
}

/// Bytes of the keys or the values of one page of one head.
static inline constexpr int64_t kv_page_bytes(KvType type, int64_t dim) {
  return kPageTokens * kv_position_bytes(type, dim);
}

/// Pairs (a, b) of elements of a key become (a cos - b sin, a sin + b cos).
struct KeyTurn {
  const float* cos_sin;  ///< [n_rot / 2, 2] of the angle of each pair
  int64_t n_rot;
  bool halves;  ///< pairs are (i, i + n_rot / 2), otherwise (2i, 2i + 1)
};

/// Floats that turn_keys works with: keys of up to 16 positions, in whole blocks.
static inline constexpr int64_t turn_keys_floats(int64_t k_dim) {
  return 16 * ((k_dim + 31) / 32 * 32);
}

/// What each KV type can do with a page of keys (or of values) of one head. slot: position within the page.
struct KvTypeKernels {
  /// Writes one position without touching others. k: [k_dim], v: [v_dim].
  void (*store_key)(void* keys, int slot, const float* k, int64_t k_dim);
  void (*store_value)(void* values, int slot, const float* v, int64_t v_dim);
  /// Reads it back: the floats that the stored elements stand for, exactly.
  void (*load_key)(float* k, const void* keys, int slot, int64_t k_dim);
  void (*load_value)(float* v, const void* values, int slot, int64_t v_dim);
  /// What reading, turning and writing the keys in these slots (bit t: slot t) gives; blocks that were multiplied with
  /// a Hadamard matrix (kv_blocks.h) are so before and after the turn. Other slots stay as they are. work: at least
  /// turn_keys_floats(), 64-byte aligned.
  void (*turn_keys)(void* keys, uint64_t slots, int64_t k_dim, const KeyTurn& turn, float* work);
};

/// The two elements of a pair.
struct KvPair {
  int64_t a, b;
};
static inline constexpr KvPair kv_pair(int64_t i, int64_t n_rot, bool halves) {
  return halves ? KvPair{i, i + n_rot / 2} : KvPair{2 * i, 2 * i + 1};
}

}  // namespace hearth::kernels
