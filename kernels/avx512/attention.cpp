// KV cells and attention to single pages.
#include "kernels/avx512/simd.h"
//
#include "kernels/avx512/overlay.h"
#include "kernels/simd/attention_page.h"
#include "kernels/simd/kv_cells.h"

namespace hearth::kernels::avx512 {

void overlay_attention(KernelTable& table) {
  table.store_kv = store_kv_cells;
  table.attend_page = attend_page_f32;
}

}  // namespace hearth::kernels::avx512
