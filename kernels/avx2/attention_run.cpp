// Attention of blocks of queries to runs of pages, in 16-bit integers.
#include "kernels/avx2/simd.h"
//
#include "kernels/avx2/overlay.h"
#include "kernels/simd/attention_run.h"

namespace hearth::kernels::avx2 {

void overlay_attention_run(KernelTable& table) {
  table.attend_run = attend_run_codes<attend_page>;
}

}  // namespace hearth::kernels::avx2
