// Attention of a block of queries to a run of pages in f32, in the vocabulary of <isa>/simd.h: for instruction sets
// whose products of 16-bit integers are no faster than those of floats (attention_run.h is for the others). A page is
// decoded once for all queries of the call.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/elements.h"
#include "kernels/simd/kv_blocks.h"

namespace hearth::kernels {
namespace {

/// Floats that attend_page (attention_page.h) takes of its scratch.
constexpr int64_t kPageScratch = 4 * kPageTokens;

/// Bits t of a page with first <= slot0 + t < end.
inline uint64_t slots_between(int64_t first, int64_t end, int64_t slot0) {
  const int64_t low = first > slot0 ? first - slot0 : 0;
  const int64_t high = end < slot0 + kPageTokens ? end - slot0 : kPageTokens;
  if (low >= high) return 0;
  return (~uint64_t{0} >> (kPageTokens - (high - low))) << low;
}

/// n elements as floats; n is a multiple of kPageTokens.
template <typename Elements>
__attribute__((noinline)) void widen_elements(float* out, const void* elements, int64_t n) {
  const auto* from = static_cast<const typename Elements::Stored*>(elements);
  for (int64_t i = 0; i < n; i += kLanes) store(out + i, Elements::load(from + i));
}

/// What a page's keys, or its values, stand for: in `out`, unless they are floats already.
template <typename DecodeBlocks>
inline void* decoded(float* out, KvType type, void* page, int64_t dim, const DecodeBlocks& decode_blocks) {
  switch (type) {
    case KvType::kF32: return page;
    case KvType::kF16: widen_elements<F16Elements>(out, page, dim * kPageTokens); return out;
    case KvType::kBF16: widen_elements<BF16Elements>(out, page, dim * kPageTokens); return out;
    default: decode_blocks(type)(out, type, page, dim); return out;
  }
}

using AttendPage = decltype(KernelTable::attend_page);

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
    page.k = decoded(keys, shape.k_type, run.pages[p].k, shape.k_dim, decode_keys_of);
    page.v = decoded(values, shape.v_type, run.pages[p].v, shape.v_dim, decode_values_of);
    for (int64_t i = 0; i < nq; i += kAttendMaxQueries) {
      const int n = static_cast<int>(nq - i < kAttendMaxQueries ? nq - i : kAttendMaxQueries);
      kAttendPage({state.max + i, state.sum + i, state.acc + i * shape.v_dim}, q + i * shape.k_dim, n, page, floats,
                  visible + i, nullptr, scratch);
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
