// The table of tensor types, made from kernels/quant_types.inc.
#include "hearth/gguf.h"

namespace hearth {

const TensorTypeInfo* tensor_type_info(TensorType type) {
  switch (type) {
#define HEARTH_TYPE_CASE(Name, elements, bytes)                       \
  case TensorType::k##Name: {                                         \
    static constexpr TensorTypeInfo kInfo = {#Name, elements, bytes}; \
    return &kInfo;                                                    \
  }
#define HEARTH_FLOAT_TYPE HEARTH_TYPE_CASE
#define HEARTH_QUANT_TYPE(Name, elements, bytes, kind) HEARTH_TYPE_CASE(Name, elements, bytes)
#define HEARTH_STORE_TYPE HEARTH_TYPE_CASE
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
#undef HEARTH_TYPE_CASE
  }
  return nullptr;
}

}  // namespace hearth
