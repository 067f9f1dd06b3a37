// Keys of a page turned by an angle for each pair of elements, kLanes positions at once, in the vocabulary of
// <isa>/simd.h: what kernels/reference does with one position after the other, to the same bits.
#pragma once

#include "kernels/simd/kv_block_store.h"

namespace hearth::kernels {
namespace {

/// Of slots from t on.
inline uint64_t lanes_from(uint64_t slots, int64_t t) {
  return slots >> t & (~uint64_t{0} >> (64 - kLanes));
}
constexpr uint64_t kAllLanes = ~uint64_t{0} >> (64 - kLanes);

/// Copies the lanes that `lanes` names.
template <typename T>
inline void put_lanes(void* page, int64_t byte, const T* x, uint64_t lanes) {
  std::byte* to = static_cast<std::byte*>(page) + byte;
  if (lanes == kAllLanes) {
    std::memcpy(to, x, kLanes * sizeof(T));
    return;
  }
  for (int i = 0; i < kLanes; ++i) {
    if ((lanes >> i & 1u) != 0) std::memcpy(to + static_cast<size_t>(i) * sizeof(T), x + i, sizeof(T));
  }
}

/// Butterflies of rows `half` apart, over as many rounds as kRows has bits; the result times `factor`.
template <int kRows>
inline void butterflies(float* x, int64_t half, float factor) {
  Floats a[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) a[i] = load(x + i * half * kLanes);
#pragma GCC unroll 3
  for (int far = 1; far < kRows; far *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      if ((i & far) != 0) continue;
      const Floats low = a[i], high = a[i + far];
      a[i] = add(low, high), a[i + far] = sub(low, high);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) store(x + i * half * kLanes, factor == 1.0f ? a[i] : mul(a[i], splat(factor)));
}

/// Rows of kLanes positions multiplied with a Hadamard matrix, block by block of `size`, which is 8 to 64: the
/// butterflies of the reference, three rounds at once, then what is left.
inline void hadamard_lanes(float* x, int64_t n, int64_t size) {
  const float norm = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(size)));
  const int64_t left = size / 8;
  for (int64_t i = 0; i < n; i += 8) butterflies<8>(x + i * kLanes, 1, left == 1 ? norm : 1.0f);
  for (int64_t first = 0; first < n; first += size) {
    for (int64_t i = first; left > 1 && i < first + 8; ++i) {
      float* row = x + i * kLanes;
      left == 8   ? butterflies<8>(row, 8, norm)
      : left == 4 ? butterflies<4>(row, 8, norm)
                  : butterflies<2>(row, 8, norm);
    }
  }
}

/// Keys [k_dim, kLanes] of a type of blocks, as they are stored.
[[gnu::noinline]] void turn_lanes(float* k, int64_t k_dim, int64_t rotation, const KeyTurn& turn) {
  if (rotation > 1) hadamard_lanes(k, k_dim, rotation);  // its own inverse
  for (int64_t i = 0; i < turn.n_rot / 2; ++i) {
    const auto [a, b] = kv_pair(i, turn.n_rot, turn.halves);
    const Floats c = splat(turn.cos_sin[2 * i]), s = splat(turn.cos_sin[2 * i + 1]);
    const Floats x = load(k + a * kLanes), y = load(k + b * kLanes);
    store(k + a * kLanes, sub(mul(x, c), mul(y, s)));
    store(k + b * kLanes, add(mul(x, s), mul(y, c)));
  }
  if (rotation > 1) hadamard_lanes(k, k_dim, rotation);
}

using DecodeKeyBlock = decltype(&decode_key_block<KvCodes::kBytes>);

[[gnu::noinline]] void turn_block_keys(const BlockWriter& type, KvType kv_type, DecodeKeyBlock decode, void* keys,
                                       uint64_t slots, int64_t k_dim, const KeyTurn& turn, float* work) {
  const BlockPage page(kv_type, keys, k_dim);
  const KvBlockPlaces& places = page.places;
  for (int64_t d = k_dim; d < places.blocks * kKvBlock; ++d) store(work + d * kLanes, zero());
  for (int64_t t = 0; t < kPageTokens; t += kLanes) {
    const uint64_t lanes = lanes_from(slots, t);
    if (lanes == 0) continue;
    const auto left = [=](int64_t b) { return k_dim - b * kKvBlock < kKvBlock ? k_dim - b * kKvBlock : kKvBlock; };
    for (int64_t b = 0; b < places.blocks; ++b) decode(work + b * kKvBlock * kLanes, kLanes, page, b, t, left(b));
    turn_lanes(work, k_dim, kv_rotation(kv_type, k_dim), turn);
    for (int64_t b = 0; b < places.blocks; ++b) {
      LaneCodes codes;
      type.encode(codes, {work + b * kKvBlock * kLanes, left(b)}, *type.levels);
      LaneWords words;
      pack_codes(words, codes.code, type.spec.bits, true);
      for (int w = 0; w < words.n_codes; ++w) {
        put_lanes(keys, 4 * ((b * words.n_codes + w) * kPageTokens + t), words.word[w], lanes);
      }
      const int64_t column = b * kPageTokens + t;
      if (type.spec.bits == 5) put_lanes(keys, places.fifth + 4 * column, words.word[words.n_codes], lanes);
      put_lanes(keys, places.scales + 2 * column, codes.scale, lanes);
      if (type.spec.minimums) put_lanes(keys, places.minimums + 2 * column, codes.minimum, lanes);
    }
  }
}

/// One type of blocks, with the interface of PlainKv.
template <KvType kType>
struct BlockKv {
  static constexpr BlockWriter kWriter = block_writer<kType>();

  static void store_key(void* keys, int slot, const float* k, int64_t k_dim) {
    store_blocks(kWriter, keys, slot, k, k_dim, true);
  }
  static void store_value(void* values, int slot, const float* v, int64_t v_dim) {
    store_blocks(kWriter, values, slot, v, v_dim, false);
  }
  static void turn_keys(void* keys, uint64_t slots, int64_t k_dim, const KeyTurn& turn, float* work) {
    turn_block_keys(kWriter, kType, decode_key_block<kWriter.spec.codes>, keys, slots, k_dim, turn, work);
  }
};

/// Keys [k_dim, 64] of a type whose elements stand alone.
template <typename Elements>
inline void turn_plain_keys(typename Elements::Stored* keys, uint64_t slots, const KeyTurn& turn) {
  for (int64_t i = 0; i < turn.n_rot / 2; ++i) {
    const auto [a, b] = kv_pair(i, turn.n_rot, turn.halves);
    const Floats c = splat(turn.cos_sin[2 * i]), s = splat(turn.cos_sin[2 * i + 1]);
    for (int64_t t = 0; t < kPageTokens; t += kLanes) {
      const uint64_t lanes = lanes_from(slots, t);
      auto *at_a = keys + a * kPageTokens + t, *at_b = keys + b * kPageTokens + t;
      const Floats x = Elements::load(at_a), y = Elements::load(at_b);
      const Mask mask = lanes_of_bits(lanes);  // what stays is stored as it was
      Elements::store_up_to(at_a, select(mask, sub(mul(x, c), mul(y, s)), x), kLanes);
      Elements::store_up_to(at_b, select(mask, add(mul(x, s), mul(y, c)), y), kLanes);
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
