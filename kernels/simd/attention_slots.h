// What kernels of runs of pages share, in the vocabulary of <isa>/simd.h: which slots a query sees, a page as floats,
// and the way back to attend_page.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/elements.h"
#include "kernels/simd/kv_blocks.h"

namespace hearth::kernels {
namespace {

constexpr float kUnseen = -1e30f;  // score of a slot that a query does not see
constexpr float kSeen = -1e29f;    // scores above are real
constexpr float kLog2e = 1.44269504f;
constexpr float kLargestElement = 1e9f;  // of keys, values and queries; pages with larger ones go through attend_page

inline bool all_below(Floats x, float limit) {
  return max_lanes(select(less(x, splat(limit)), zero(), splat(1.0f))) == 0.0f;  // false for NaN
}

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

template <typename DecodeBlocks>
inline float* decoded(float* out, KvType type, void* page, int64_t dim, const DecodeBlocks& decode_blocks) {
  switch (type) {
    case KvType::kF32: return static_cast<float*>(page);
    case KvType::kF16: widen_elements<F16Elements>(out, page, dim * kPageTokens); return out;
    case KvType::kBF16: widen_elements<BF16Elements>(out, page, dim * kPageTokens); return out;
    default: decode_blocks(type)(out, type, page, dim); return out;
  }
}

/// What a page's keys stand for, [k_dim, 64]: in `out`, unless they are floats already.
inline float* key_floats(float* out, const KvPage& page, const AttentionShape& shape) {
  return decoded(out, shape.k_type, page.k, shape.k_dim, decode_keys_of);
}
/// The same of its values, [64, v_dim].
inline float* value_floats(float* out, const KvPage& page, const AttentionShape& shape) {
  return decoded(out, shape.v_type, page.v, shape.v_dim, decode_values_of);
}

using AttendPage = decltype(KernelTable::attend_page);

/// One page in f32, for queries or elements that a kernel does not take. scratch: of attend_page.
template <AttendPage kAttendPage>
inline void attend_run_page_f32(const AttentionState& state, const float* q, int nq, const PageRun& run, int p,
                                const AttentionShape& shape, float* scratch) {
  const int64_t slot0 = int64_t{p} * kPageTokens;
  for (int64_t i = 0; i < nq; ++i) {
    uint64_t visible = slots_between(run.first[i], run.end[i], slot0);
    if (run.held != nullptr) visible &= run.held[p];
    kAttendPage({state.max + i, state.sum + i, state.acc + i * shape.v_dim}, q + i * shape.k_dim, 1, run.pages[p],
                shape, &visible, nullptr, scratch);
  }
}

}  // namespace
}  // namespace hearth::kernels
