// The public face of KV types: the rows of kernels/kv_types.inc.
#include "kernels/kv_types.h"

#include <string>

#include "hearth/kv_cache.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"

namespace hearth {

#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) \
  static_assert(static_cast<int>(KVType::k##Name) == static_cast<int>(kernels::KvType::k##Name));
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE

std::vector<KVType> list_kv_types() {
  return guard_or(std::vector<KVType>(), [] {
    std::vector<KVType> types;
    for (int i = 0; i < kernels::kKvTypeCount; ++i) types.push_back(static_cast<KVType>(i));
    return types;
  });
}

const char* kv_type_name(KVType type) {
  const auto index = static_cast<int>(type);
  return index < kernels::kKvTypeCount ? kernels::kKvTypeInfos[index].name : "unknown";
}

Result<KVType> parse_kv_type(std::string_view name) {
  return guard([&]() -> Result<KVType> {
    std::string known;
    for (int i = 0; i < kernels::kKvTypeCount; ++i) {
      const auto type = static_cast<KVType>(i);
      if (name == kv_type_name(type)) return type;
      concat_to(known, (known.empty() ? "" : ", "), kv_type_name(type));
    }
    return Error{ErrorCode::kInvalidArgument, concat("unknown KV type '", name, "'; known: ", known)};
  });
}

uint64_t kv_position_bytes(KVType type, int64_t dim) {
  return static_cast<uint64_t>(kernels::kv_position_bytes(static_cast<kernels::KvType>(type), dim));
}

}  // namespace hearth
