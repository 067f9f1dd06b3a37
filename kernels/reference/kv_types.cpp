// The rows of KV types: writing and reading one position of a page.
#include "kernels/reference/kv_types.h"

#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {
namespace {

template <typename Type>
void load_key(float* k, const void* keys, int slot, int64_t k_dim) {
  for (int64_t d = 0; d < k_dim; ++d) k[d] = Type::key(keys, k_dim, slot, d);
}

template <typename Type>
void load_value(float* v, const void* values, int slot, int64_t v_dim) {
  for (int64_t d = 0; d < v_dim; ++d) v[d] = Type::value(values, v_dim, slot, d);
}

}  // namespace

const KvElements& kv_elements(KvType type) {
  static constexpr KvElements kElements[] = {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) {Kv##Name::key, Kv##Name::value},
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
  };
  return kElements[static_cast<int>(type)];
}

void overlay_kv_types(KvTypeKernels* rows) {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) \
  *rows++ = {Kv##Name::store_key, Kv##Name::store_value, load_key<Kv##Name>, load_value<Kv##Name>, Kv##Name::turn_keys};
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
}

}  // namespace hearth::kernels::reference
