// What the files of this instruction set put into the kernel table.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels::avx512 {

void overlay_matmul(KernelTable& table);
void overlay_vector_ops(KernelTable& table);
void overlay_peaks(KernelTable& table);
void overlay_attention(KernelTable& table);
void overlay_attention_run(KernelTable& table);

/// See KernelTable::attend_page.
void attend_page(const AttentionState& state, const float* q, int nq, const KvPage& page, const AttentionShape& shape,
                 const uint64_t* visible, const float* alibi, float* scratch);
/// See KernelTable::soft_cap.
void soft_cap(float* y, float cap, int64_t n);
/// See kernels/simd/attention_slots.h.
float* key_floats(float* out, const KvPage& page, const AttentionShape& shape);
float* value_floats(float* out, const KvPage& page, const AttentionShape& shape);
void attend_run_page(const AttentionState& state, const float* q, int nq, const PageRun& run, int p,
                     const AttentionShape& shape, float* scratch);

}  // namespace hearth::kernels::avx512
