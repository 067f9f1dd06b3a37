// Attention of a block of queries to a run of pages: reference version, page by page.
#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {
namespace {

/// Slots of page p that lie in [first, end).
uint64_t slots_between(int64_t first, int64_t end, int64_t p) {
  uint64_t bits = 0;
  for (int t = 0; t < kPageTokens; ++t) {
    const int64_t slot = p * kPageTokens + t;
    if (first <= slot && slot < end) bits |= uint64_t{1} << t;
  }
  return bits;
}

}  // namespace

void attend_run(const AttentionState& state, const float* q, int nq, const PageRun& run, const AttentionShape& shape,
                void* scratch) {
  for (int64_t i = 0; i < nq; ++i) {
    const AttentionState one{state.max + i, state.sum + i, state.acc + i * shape.v_dim};
    for (int64_t p = 0; p < run.n_pages; ++p) {
      uint64_t visible = slots_between(run.first[i], run.end[i], p);
      if (run.held != nullptr) visible &= run.held[p];
      attend_page(one, q + i * shape.k_dim, 1, run.pages[p], shape, &visible, nullptr, static_cast<float*>(scratch));
    }
  }
}

}  // namespace hearth::kernels::reference
