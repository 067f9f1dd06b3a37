// Attention of blocks of queries to runs of pages, in 16-bit integers.
#include "kernels/avx512/simd.h"
//
#include "kernels/avx512/overlay.h"
#include "kernels/simd/attention_run.h"

namespace hearth::kernels::avx512 {

float* key_floats(float* out, const KvPage& page, const AttentionShape& shape) {
  return kernels::key_floats(out, page, shape);
}
float* value_floats(float* out, const KvPage& page, const AttentionShape& shape) {
  return kernels::value_floats(out, page, shape);
}

void attend_run_page(const AttentionState& state, const float* q, int nq, const PageRun& run, int p,
                     const AttentionShape& shape, float* scratch) {
  attend_run_page_f32<attend_page>(state, q, nq, run, p, shape, scratch);
}

void overlay_attention_run(KernelTable& table) {
  table.attend_run = attend_run_codes<attend_page>;
}

}  // namespace hearth::kernels::avx512
