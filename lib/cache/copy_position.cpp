// Copies of positions, array by array of a page.
#include "lib/cache/copy_position.h"

#include <cstddef>
#include <cstring>

#include "kernels/kv_blocks.h"

namespace hearth {
namespace {

using kernels::kPageTokens;

/// One array of a page: `n` elements of a position, `size` bytes each.
struct PageArray {
  int64_t offset = 0, n = 0, size = 0;
};

struct PageArrays {
  PageArray array[4];
  int n = 0;
  void add(int64_t offset, int64_t count, int64_t size) { array[n++] = {offset, count, size}; }
};

/// The arrays of keys [n, 64] and of values: [64, n] for codes, [n, 64] for scales (`by_lane` tells from which on).
PageArrays arrays_of(kernels::KvType type, int64_t dim, bool keys, int& by_lane) {
  PageArrays arrays;
  const kernels::KvTypeInfo info = kernels::kv_type_info(type);
  if (info.block_size == 1) {
    arrays.add(0, dim, info.block_bytes);
    by_lane = keys ? 0 : 1;
    return arrays;
  }
  const kernels::KvBlockSpec spec = kernels::kv_block_spec(type);
  const kernels::KvBlockPlaces places = kernels::kv_block_places(spec, dim);
  arrays.add(0, places.blocks * (spec.bits == 8 ? 8 : 4), 4);
  if (spec.bits == 5) arrays.add(places.fifth, places.blocks, 4);
  by_lane = keys ? 0 : arrays.n;
  arrays.add(places.scales, places.blocks, 2);
  if (spec.minimums) arrays.add(places.minimums, places.blocks, 2);
  return arrays;
}

void copy(kernels::KvType type, void* to, int to_slot, const void* from, int from_slot, int64_t dim, int n, bool keys) {
  int by_lane = 0;
  const PageArrays arrays = arrays_of(type, dim, keys, by_lane);
  for (int i = 0; i < arrays.n; ++i) {
    const PageArray& a = arrays.array[i];
    std::byte* out = static_cast<std::byte*>(to) + a.offset;
    const std::byte* in = static_cast<const std::byte*>(from) + a.offset;
    const auto size = static_cast<size_t>(a.size), count = static_cast<size_t>(n);
    if (i < by_lane) {
      std::memmove(out + to_slot * a.n * a.size, in + from_slot * a.n * a.size,
                   count * static_cast<size_t>(a.n) * size);
      continue;
    }
    for (int64_t j = 0; j < a.n; ++j) {
      std::memmove(out + (j * kPageTokens + to_slot) * a.size, in + (j * kPageTokens + from_slot) * a.size,
                   count * size);
    }
  }
}

}  // namespace

void copy_key(kernels::KvType type, void* to, int to_slot, const void* from, int from_slot, int64_t dim, int n) {
  copy(type, to, to_slot, from, from_slot, dim, n, true);
}

void copy_value(kernels::KvType type, void* to, int to_slot, const void* from, int from_slot, int64_t dim, int n) {
  copy(type, to, to_slot, from, from_slot, dim, n, false);
}

}  // namespace hearth
