// Positions of KV types of blocks, written and read in the vocabulary of <isa>/simd.h: the steps of
// kernels/reference/kv_blocks.cpp with the elements of a block as lanes, to the same bits. kernels/kv_blocks.h has the
// order of codes.
#pragma once

#include <cstring>

#include "kernels/kv_block_codes.h"
#include "kernels/simd/kv_blocks.h"

namespace hearth::kernels {
namespace {

/// A block's elements or codes, as floats.
using BlockRow = Floats[kBlockVectors];

/// Sum of all lanes: halves of the block are added until one number is left. Vectors of 4 lanes or more.
inline float sum_block(const BlockRow& x) {
  Floats sum[kBlockVectors];
  for (int v = 0; v < kBlockVectors; ++v) sum[v] = x[v];
  for (int half = kBlockVectors / 2; half > 0; half /= 2) {
    for (int v = 0; v < half; ++v) sum[v] = add(sum[v], sum[v + half]);
  }
  if constexpr (kLanes > 4) return sum_lanes(sum[0]);  // which adds halves, too
  alignas(64) float lanes[kLanes];
  store(lanes, sum[0]);
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

/// Types that differ in the number of their levels alone share one.
template <bool kMinimums, bool kTable, bool kBytes>
class BlockEncoder {
 public:
  /// Up to 32 elements; what pads them counts as 0.
  [[gnu::noinline]] BlockEncoder(const KvLevels& levels, const float* x, int64_t n)
      : levels_(levels), n_(n < kKvBlock ? n : kKvBlock) {
    for (int v = 0; v < kBlockVectors; ++v) {
      const int64_t left = n_ - v * kLanes;
      x_[v] = left >= kLanes ? load(x + v * kLanes) : left > 0 ? load_n(x + v * kLanes, left) : zero();
      valid_[v] = left >= kLanes ? splat(1.0f) : left > 0 ? select(lanes_below(left), splat(1.0f), zero()) : zero();
    }
    first_ = x[0];
    encode();
  }

  uint16_t scale = 0, minimum = 0;
  /// Codes from 0 on; those of what pads the block are 0.
  [[gnu::noinline]] void codes(uint8_t (&out)[kKvBlock]) const {
    alignas(64) int32_t code[kKvBlock];
    for (int v = 0; v < kBlockVectors; ++v) store_ints(code + v * kLanes, to_ints(mul(code_[v], valid_[v])));
    for (int i = 0; i < kKvBlock; ++i) out[i] = static_cast<uint8_t>(code[i]);
  }

 private:
  static Mask lanes_below(int64_t n) { return lanes_of_bits((uint64_t{1} << n) - 1); }

  /// Nearest integers within 0..last, 0 for NaN.
  static Floats nearest(Floats x, float last) {
    const Floats most = splat(last);
    x = select(less(zero(), x), x, zero());
    return round_even(select(less(x, most), x, most));
  }

  /// The nearest codes for a scale and a minimum, and what they stand for less both.
  void choose(BlockRow& code, BlockRow& level, uint16_t scale_bits, uint16_t minimum_bits) const {
    const float step = half_to_float(scale_bits);
    const Floats inverse = splat(step != 0.0f ? 1.0f / step : 0.0f), least = splat(half_to_float(minimum_bits));
    for (int v = 0; v < kBlockVectors; ++v) {
      const Floats x = mul(sub(x_[v], least), inverse);
      if constexpr (kTable) {
        constexpr KvLevels kLevels = kKvLevels<KvType::kIQ4_NL>;
        code[v] = zero();
        level[v] = splat(kLevels.value[0]);
        for (int i = 0; i + 1 < kLevels.n; ++i) {  // how many bounds between levels lie below
          const Mask above = less(splat(kv_bound(kLevels, i)), x);
          code[v] = add(code[v], select(above, splat(1.0f), zero()));
          level[v] = select(above, splat(kLevels.value[i + 1]), level[v]);
        }
      } else {
        code[v] = nearest(sub(x, splat(levels_.value[0])), static_cast<float>(levels_.n - 1));
        level[v] = add(code[v], splat(levels_.value[0]));
      }
    }
  }

  void find_range(float& low, float& high) const {
    const float start = kMinimums && first_ - first_ == 0.0f ? first_ : 0.0f;
    Floats least = splat(start), most = least;
    for (int v = 0; v < kBlockVectors; ++v) {
      if (n_ <= v * kLanes) break;
      const Floats x = n_ >= (v + 1) * kLanes ? x_[v] : select(lanes_below(n_ - v * kLanes), x_[v], splat(start));
      least = select(less(x, least), x, least);
      most = select(less(most, x), x, most);
    }
    low = -max_lanes(mul(least, splat(-1.0f)));
    high = max_lanes(most);
  }

  /// Least squares, for the levels that were chosen, which are lost.
  void refine(BlockRow& level, uint16_t& scale_bits, uint16_t& minimum_bits) const {
    BlockRow product;
    for (int v = 0; v < kBlockVectors; ++v) level[v] = mul(level[v], valid_[v]);
    KvFit fit{static_cast<float>(n_), 0, 0, 0, 0};
    for (int v = 0; v < kBlockVectors; ++v) product[v] = mul(level[v], level[v]);
    fit.sum_ll = sum_block(product);
    for (int v = 0; v < kBlockVectors; ++v) product[v] = mul(x_[v], level[v]);
    fit.sum_xl = sum_block(product);
    if constexpr (kMinimums) {
      fit.sum_l = sum_block(level);
      fit.sum_x = sum_block(x_);
    }
    refine_scale<kMinimums>(fit, scale_bits, minimum_bits);
  }

  /// Of all elements; the levels are lost.
  float squared_error(BlockRow& level, uint16_t scale_bits, uint16_t minimum_bits) const {
    const Floats step = splat(half_to_float(scale_bits)), least = splat(half_to_float(minimum_bits));
    for (int v = 0; v < kBlockVectors; ++v) {
      const Floats error = mul(sub(x_[v], add(mul(step, level[v]), least)), valid_[v]);
      level[v] = mul(error, error);
    }
    return sum_block(level);
  }

  void encode() {
    float low, high;
    find_range(low, high);
    if constexpr (kBytes) {
      scale = nearest_half((high > -low ? high : -low) / 127.0f);
      BlockRow level;
      choose(code_, level, scale, 0);
    } else {
      const float first = first_kv_scale<kMinimums>(levels_, low, high);
      float best = 0;
      for (int i = 0; i < kKvShareCount; ++i) {
        BlockRow code, level;
        uint16_t s = nearest_half(first * kKvShares[i]), m = kMinimums ? nearest_half(low) : uint16_t{0};
        choose(code, level, s, m);
        refine(level, s, m);
        choose(code, level, s, m);
        const float error = squared_error(level, s, m);
        if (i > 0 && !(error < best)) continue;
        best = error, scale = s, minimum = m;
        for (int v = 0; v < kBlockVectors; ++v) code_[v] = code[v];
      }
    }
  }

  BlockRow x_, valid_, code_;
  const KvLevels& levels_;
  float first_;
  int64_t n_;
};

/// One type of blocks, with the interface of PlainKv.
template <KvType kType>
struct BlockKv {
  static constexpr KvBlockSpec kSpec = kv_block_spec(kType);
  using Encoder = BlockEncoder<kSpec.minimums, kSpec.codes == KvCodes::kTable, kSpec.bits == 8>;

  static void store_key(void* keys, int slot, const float* k, int64_t k_dim) {
    const KvBlockPlaces places = kv_block_places(kSpec, k_dim);
    for (int64_t b = 0; b < places.blocks; ++b) {
      const Encoder block(kKvLevels<kType>, k + b * kKvBlock, k_dim - b * kKvBlock);
      uint8_t code[kKvBlock];
      block.codes(code);
      put_key_codes<kSpec.bits>(keys, places, b, slot, code);
      put_kv_scales<kType>(keys, places, b, slot, block.scale, block.minimum);
    }
  }
  static void store_value(void* values, int slot, const float* v, int64_t v_dim) {
    const KvBlockPlaces places = kv_block_places(kSpec, v_dim);
    for (int64_t b = 0; b < places.blocks; ++b) {
      const Encoder block(kKvLevels<kType>, v + b * kKvBlock, v_dim - b * kKvBlock);
      uint8_t code[kKvBlock];
      block.codes(code);
      put_value_codes<kSpec.bits>(values, places, b, slot, code);
      put_kv_scales<kType>(values, places, b, slot, block.scale, block.minimum);
    }
  }
  static void load_key(float* k, const void* keys, int slot, int64_t k_dim) {
    const BlockPage page(kType, keys, k_dim);
    const KvCodeTable numbers = kv_code_table(kType);
    for (int64_t b = 0; b < page.places.blocks; ++b) {
      uint8_t code[kKvBlock];
      get_key_codes<kSpec.bits>(code, keys, page.places, b, slot, kSpec.offset, numbers);
      Floats x[kBlockVectors];
      for (int v = 0; v < kBlockVectors; ++v) x[v] = load_bytes(code + v * kLanes);
      put_out(k, page, x, b, slot, k_dim);
    }
  }
  static void load_value(float* v, const void* values, int slot, int64_t v_dim) {
    const BlockPage page(kType, values, v_dim);
    const KvCodeTable numbers = kv_code_table(kType);
    const CodeTable table = make_code_table(numbers.value);
    constexpr KvCodes kCodes = kSpec.codes == KvCodes::kTable ? KvCodes::kNibbles : kSpec.codes;
    for (int64_t b = 0; b < page.places.blocks; ++b) {
      Floats x[kBlockVectors];
      value_codes<kCodes>(x, page, slot, b, table);
      put_out(v, page, x, b, slot, v_dim);
    }
  }

 private:
  /// Levels of a block to the floats that they stand for.
  static void put_out(float* out, const BlockPage& page, const Floats (&x)[kBlockVectors], int64_t b, int64_t t,
                      int64_t dim) {
    const Floats scale = splat(half_to_float(page.scales(b)[t]));
    const Floats minimum = kSpec.minimums ? splat(half_to_float(page.minimums(b)[t])) : zero();
    for (int v = 0; v < kBlockVectors; ++v) {
      const int64_t d = b * kKvBlock + v * kLanes, n = dim - d;
      if (n > 0) store_up_to(out + d, add(mul(x[v], scale), minimum), n < kLanes ? n : kLanes);
    }
  }
};

#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes)
#define HEARTH_KV_BLOCK_TYPE(Name, name, block_size, block_bytes) using Kv##Name = BlockKv<KvType::k##Name>;
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE

}  // namespace
}  // namespace hearth::kernels
