// Codes of KV types of blocks in the vocabulary of <isa>/simd.h, and a page of them as floats for attention_run.h.
// kernels/kv_blocks.h has the order of codes.
#pragma once

#include "kernels/half.h"
#include "kernels/kernel_table.h"
#include "kernels/kv_blocks.h"
#include "kernels/simd/rows.h"

namespace hearth::kernels {
namespace {

constexpr int kBlockVectors = kKvBlock / kLanes;

inline bool is_plain(KvType type) {
  return kv_type_info(type).block_size == 1;
}

/// One page of keys or of values.
struct BlockPage {
  KvBlockSpec spec;
  KvBlockPlaces places;
  const unsigned char* base;

  BlockPage(KvType type, const void* page, int64_t dim)
      : spec(kv_block_spec(type)), places(kv_block_places(spec, dim)), base(static_cast<const unsigned char*>(page)) {}
  const uint16_t* scales(int64_t b) const { return halves(places.scales) + b * kPageTokens; }
  /// nullptr: none.
  const uint16_t* minimums(int64_t b) const {
    return spec.minimums ? halves(places.minimums) + b * kPageTokens : nullptr;
  }
  /// [n words, 64] of keys.
  const int32_t* words(int64_t b) const {
    return ints(0) + b * (spec.bits == 8 ? kKvBlock / 4 : kKvBlock / 8) * kPageTokens;
  }
  const int32_t* fifth_bits(int64_t b) const { return ints(places.fifth) + b * kPageTokens; }

 private:
  const uint16_t* halves(int64_t at) const { return static_cast<const uint16_t*>(static_cast<const void*>(base + at)); }
  const int32_t* ints(int64_t at) const { return static_cast<const int32_t*>(static_cast<const void*>(base + at)); }
};

/// Calls f(pair, codes) for the 16 pairs of elements of a block of keys; codes[v] are those of the tokens of vector v,
/// from `words` on.
template <KvCodes kCodes, int kVectors, typename F>
inline void for_each_pair(const int32_t* words, const int32_t* fifth, F&& f) {
  constexpr int kPairsPerWord = kCodes == KvCodes::kBytes ? 2 : 4;
  alignas(16) constexpr uint8_t kTable[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
  Ints high[kVectors];
  for (int v = 0; v < kVectors; ++v)
    high[v] = kCodes == KvCodes::kFiveBits ? load_ints(fifth + v * kLanes) : zero_ints();
#pragma GCC unroll 1
  for (int pair = 0; pair < 16; pair += kPairsPerWord) {
    Ints word[kVectors], codes[kVectors], more[kVectors];
    for (int v = 0; v < kVectors; ++v) word[v] = load_ints(words + v * kLanes);
    words += kPageTokens;
    const auto each = [&](int i, auto&& codes_of) {
      for (int v = 0; v < kVectors; ++v) codes[v] = codes_of(word[v], high[v]);
      f(pair + i, codes);
    };
    if constexpr (kCodes == KvCodes::kBytes) {
      const Ints mask = splat_int(0x00ff00ff);
      each(0, [&](Ints w, Ints) { return bit_and(w, mask); });
      each(1, [&](Ints w, Ints) { return bit_and(shift_right<8>(w), mask); });
    } else if constexpr (kCodes == KvCodes::kTable) {
      const Ints mask = splat_int(0x0f0f0f0f), bytes = splat_int(0x00ff00ff);
      for (int v = 0; v < kVectors; ++v) {
        more[v] = lookup_bytes(bit_and(shift_right<4>(word[v]), mask), kTable);
        word[v] = lookup_bytes(bit_and(word[v], mask), kTable);
      }
      each(0, [&](Ints w, Ints) { return bit_and(w, bytes); });
      each(2, [&](Ints w, Ints) { return bit_and(shift_right<8>(w), bytes); });
      for (int v = 0; v < kVectors; ++v) word[v] = more[v];
      each(1, [&](Ints w, Ints) { return bit_and(w, bytes); });
      each(3, [&](Ints w, Ints) { return bit_and(shift_right<8>(w), bytes); });
    } else {
      const Ints mask = splat_int(0x000f000f), bit = splat_int(0x00010001);
      const auto with_fifth = [&](Ints codes_4, Ints h) {
        return kCodes == KvCodes::kFiveBits ? bit_or(codes_4, shift_left<4>(bit_and(h, bit))) : codes_4;
      };
      each(0, [&](Ints w, Ints h) { return with_fifth(bit_and(w, mask), h); });
      each(1, [&](Ints w, Ints h) { return with_fifth(bit_and(shift_right<4>(w), mask), shift_right<1>(h)); });
      each(2, [&](Ints w, Ints h) { return with_fifth(bit_and(shift_right<8>(w), mask), shift_right<2>(h)); });
      each(3, [&](Ints w, Ints h) { return with_fifth(bit_and(shift_right<12>(w), mask), shift_right<3>(h)); });
      for (int v = 0; v < kVectors; ++v) high[v] = shift_right<4>(high[v]);
    }
  }
}

/// Codes less their offset of the 32 elements of block b of the value in slot t.
template <KvCodes kCodes>
inline void value_codes(Floats (&x)[kBlockVectors], const BlockPage& page, int64_t t, int64_t b, CodeTable table) {
  const int64_t at = t * page.places.blocks + b;
  if constexpr (kCodes == KvCodes::kBytes) {
    for (int v = 0; v < kBlockVectors; ++v) x[v] = load_bytes(page.base + at * kKvBlock + v * kLanes);
  } else {
    load_nibbles(x, page.base + at * (kKvBlock / 2), table);
    if constexpr (kCodes == KvCodes::kFiveBits) {
      const uint32_t bits = static_cast<uint32_t>(page.fifth_bits(0)[at]);
      for (int v = 0; v < kBlockVectors; ++v) {
        x[v] = add(x[v], select(lanes_of_bits(bits >> (v * kLanes)), splat(16.0f), zero()));
      }
    }
  }
}

/// out [n, stride] = the floats that block b of the keys in kLanes slots from t on stands for; n: at most 32.
template <KvCodes kCodes>
__attribute__((noinline)) void decode_key_block(float* out, int64_t stride, const BlockPage& page, int64_t b, int64_t t,
                                                int64_t n) {
  const Floats offset = splat(static_cast<float>(page.spec.offset)), scale = load_half(page.scales(b) + t);
  const Floats minimum = page.spec.minimums ? load_half(page.minimums(b) + t) : zero();
  for_each_pair<kCodes, 1>(page.words(b) + t, page.fifth_bits(b) + t, [&](int pair, const Ints(&codes)[1]) {
    const Ints code[2] = {bit_and(codes[0], splat_int(0xffff)), shift_right<16>(codes[0])};
    for (int i = 0; i < 2 && 2 * pair + i < n; ++i) {
      store(out + (2 * pair + i) * stride, add(mul(sub(to_floats(code[i]), offset), scale), minimum));
    }
  });
}

/// out [k_dim, 64] = the floats that keys stand for.
template <KvCodes kCodes>
void decode_keys(float* out, KvType type, const void* keys, int64_t k_dim) {
  const BlockPage page(type, keys, k_dim);
  for (int64_t b = 0; b < page.places.blocks; ++b) {
    for (int64_t t = 0; t < kPageTokens; t += kLanes) {
      const int64_t d = b * kKvBlock;
      decode_key_block<kCodes>(out + d * kPageTokens + t, kPageTokens, page, b, t, k_dim - d);
    }
  }
}

/// out [64, v_dim] = the floats that values stand for.
template <KvCodes kCodes>
__attribute__((noinline)) void decode_values(float* out, KvType type, const void* values, int64_t v_dim) {
  const BlockPage page(type, values, v_dim);
  const KvCodeTable numbers = kv_code_table(type);
  const CodeTable table = make_code_table(numbers.value);
  for (int64_t t = 0; t < kPageTokens; ++t) {
    for (int64_t b = 0; b < page.places.blocks; ++b) {
      const Floats scale = splat(half_to_float(page.scales(b)[t]));
      const Floats minimum = page.spec.minimums ? splat(half_to_float(page.minimums(b)[t])) : zero();
      Floats x[kBlockVectors];
      value_codes<kCodes>(x, page, t, b, table);
      for (int v = 0; v < kBlockVectors; ++v) {
        const int64_t d = b * kKvBlock + v * kLanes, n = v_dim - d;
        if (n > 0) store_up_to(out + t * v_dim + d, add(mul(x[v], scale), minimum), n < kLanes ? n : kLanes);
      }
    }
  }
}

using DecodePage = decltype(&decode_keys<KvCodes::kBytes>);

inline DecodePage decode_keys_of(KvType type) {
  switch (kv_block_spec(type).codes) {
    case KvCodes::kNibbles: return decode_keys<KvCodes::kNibbles>;
    case KvCodes::kFiveBits: return decode_keys<KvCodes::kFiveBits>;
    case KvCodes::kTable: return decode_keys<KvCodes::kTable>;
    default: return decode_keys<KvCodes::kBytes>;
  }
}

inline DecodePage decode_values_of(KvType type) {
  switch (kv_block_spec(type).codes) {
    case KvCodes::kBytes: return decode_values<KvCodes::kBytes>;
    case KvCodes::kFiveBits: return decode_values<KvCodes::kFiveBits>;
    default: return decode_values<KvCodes::kNibbles>;  // tables, too
  }
}

}  // namespace
}  // namespace hearth::kernels
