// What the files of this instruction set put into the kernel table.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels::neon {

void overlay_matmul(KernelTable& table);
void overlay_vector_ops(KernelTable& table);
void overlay_peaks(KernelTable& table);
void overlay_attention(KernelTable& table);
void overlay_attention_run(KernelTable& table);

/// See KernelTable::attend_page.
void attend_page(const AttentionState& state, const float* q, int nq, const KvPage& page, const AttentionShape& shape,
                 const uint64_t* visible, const float* alibi, float* scratch);

}  // namespace hearth::kernels::neon
