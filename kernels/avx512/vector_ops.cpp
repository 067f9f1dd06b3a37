// Norms, rotary embedding, gates and elementwise operations on rows of floats.
#include "kernels/avx512/simd.h"
//
#include "kernels/avx512/overlay.h"
#include "kernels/reference/vector_ops.h"
#include "kernels/simd/norms.h"
#include "kernels/simd/vector_ops.h"

namespace hearth::kernels::avx512 {

void soft_cap(float* y, float cap, int64_t n) {
  soft_cap_row(y, cap, n);
}

void overlay_vector_ops(KernelTable& table) {
  table.rms_norm = rms_norm_row;
  table.layer_norm = layer_norm_row;
  table.rope_pairs = rope_pairs_row;
  table.rope_halves = rope_halves_row;
  table.gate_mul = gate_mul_row;
  table.add = add_rows;
  table.scale = scale_row;
  table.axpy = axpy_rows;
  table.dot = dot_vectors;
  table.hadamard = hadamard_row<reference::hadamard>;
  table.soft_cap = soft_cap;
  table.softmax = softmax_row;
}

}  // namespace hearth::kernels::avx512
