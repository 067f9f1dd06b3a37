// KV types and attention to single pages.
#include "kernels/neon/simd.h"
//
#include "kernels/neon/overlay.h"
#include "kernels/simd/attention_page.h"
#include "kernels/simd/kv_types.h"

namespace hearth::kernels::neon {

void attend_page(const AttentionState& state, const float* q, int nq, const KvPage& page, const AttentionShape& shape,
                 const uint64_t* visible, const float* alibi, float* scratch) {
  attend_page_f32(state, q, nq, page, shape, visible, alibi, scratch);
}

void overlay_attention(KernelTable& table) {
  overlay_kv_types(table.kv_types);
  table.attend_page = attend_page;
}

}  // namespace hearth::kernels::neon
