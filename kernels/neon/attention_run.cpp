// Attention of blocks of queries to runs of pages, in floats: four products of floats are one instruction as four of
// 16-bit integers are, on more of the processor's units, and more exact.
#include "kernels/neon/simd.h"
//
#include "kernels/neon/overlay.h"
#include "kernels/simd/attention_run_f32.h"

namespace hearth::kernels::neon {

void overlay_attention_run(KernelTable& table) {
  table.attend_run = attend_run_f32<attend_page>;
}

}  // namespace hearth::kernels::neon
