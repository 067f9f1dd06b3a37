// The reference kernels in the kernel table.
#include "kernels/reference/codebook_vectors.h"
#include "kernels/reference/matmul.h"
#include "kernels/reference/vector_ops.h"

namespace hearth::kernels {

void overlay_reference(KernelTable& table) {
  reference::unpack_codebooks();
  reference::overlay_matmul(table);
  table.rms_norm = reference::rms_norm;
  table.layer_norm = reference::layer_norm;
  table.rope_pairs = reference::rope_pairs;
  table.rope_halves = reference::rope_halves;
  table.gate_mul = reference::gate_mul;
  table.add = reference::add;
  table.scale = reference::scale;
  table.axpy = reference::axpy;
  table.dot = reference::dot;
  table.hadamard = reference::hadamard;
  table.soft_cap = reference::soft_cap;
  table.softmax = reference::softmax;
  table.int8_peak = reference::int8_peak;
  table.read_once = reference::read_once;
  reference::overlay_kv_types(table.kv_types);
  table.attend_page = reference::attend_page;
  table.attend_run = reference::attend_run;
}

}  // namespace hearth::kernels
