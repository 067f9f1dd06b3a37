// Attention of a block of queries to a run of pages in f32, in the vocabulary of <isa>/simd.h: for instruction sets
// whose products of 16-bit integers are no faster than those of floats (attention_run.h is for the others). A page is
// decoded once for all queries of the call.
#pragma once

#include "kernels/simd/attention_slots.h"

namespace hearth::kernels {
namespace {

/// Floats that attend_page (attention_page.h) takes of its scratch.
constexpr int64_t kPageScratch = 4 * kPageTokens;

template <AttendPage kAttendPage>
inline void attend_run_f32(const AttentionState& state, const float* q, int nq, const PageRun& run,
                           const AttentionShape& shape, void* memory) {
  // What is decoded takes 64 (k_dim + v_dim) floats; what else attend_run_scratch_bytes() counts is far above 1024.
  float* scratch = static_cast<float*>(memory);  // of attend_page
  float* keys = scratch + kPageScratch;
  float* values = keys + int64_t{kPageTokens} * shape.k_dim;
  const AttentionShape floats = {shape.k_dim, shape.v_dim, KvType::kF32, KvType::kF32, shape.soft_cap};
  uint64_t visible[kRunMaxQueries];
  for (int64_t p = 0; p < run.n_pages; ++p) {
    uint64_t any = 0;
    for (int i = 0; i < nq; ++i) {
      visible[i] = slots_between(run.first[i], run.end[i], p * kPageTokens);
      if (run.held != nullptr) visible[i] &= run.held[p];
      any |= visible[i];
    }
    if (any == 0) continue;
    KvPage page;
    page.k = key_floats(keys, run.pages[p], shape);
    page.v = value_floats(values, run.pages[p], shape);
    for (int64_t i = 0; i < nq; i += kAttendMaxQueries) {
      const int n = static_cast<int>(nq - i < kAttendMaxQueries ? nq - i : kAttendMaxQueries);
      kAttendPage({state.max + i, state.sum + i, state.acc + i * shape.v_dim}, q + i * shape.k_dim, n, page, floats,
                  visible + i, nullptr, scratch);
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
