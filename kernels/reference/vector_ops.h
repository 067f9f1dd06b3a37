// Declarations of the reference kernels for rows of floats, KV types and attention; kernel_table.h says what each does.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels::reference {

void rms_norm(float* y, const float* x, const float* w, int64_t n, float eps);
void layer_norm(float* y, const float* x, const float* w, const float* b, int64_t n, float eps);
void rope_pairs(float* x, const float* cs, int64_t n_rot);
void rope_halves(float* x, const float* cs, int64_t n_rot);
void gate_mul(float* y, const float* g, const float* u, int64_t n, Gate gate);
void add(float* y, const float* x, int64_t n);
void scale(float* y, float s, int64_t n);
void axpy(float* y, float a, const float* x, int64_t n);
float dot(const float* x, const float* y, int64_t n);
void hadamard(float* y, int64_t n, int64_t size);
void soft_cap(float* y, float cap, int64_t n);
void softmax(float* y, int64_t n);

/// Fills the rows of all KV types, [kKvTypeCount].
void overlay_kv_types(KvTypeKernels* rows);
void attend_page(const AttentionState& state, const float* q, int nq, const KvPage& page, const AttentionShape& shape,
                 const uint64_t* visible, const float* alibi, float* scratch);
void attend_run(const AttentionState& state, const float* q, int nq, const PageRun& run, const AttentionShape& shape,
                void* scratch);

int64_t int8_peak(int64_t rounds);
uint64_t read_once(const void* bytes, int64_t n);

}  // namespace hearth::kernels::reference
