// Attention of queries to pages: the operations of reference/attention.cpp, for each query in the same order, so that
// the results are the same to the bit; but every element of a page is decoded once for all queries, and lanes are
// tokens in the scores, elements in the sums of values.
#include <bit>
#include <cmath>
#include <type_traits>

#include "kernels/portable/overlay.h"
#include "kernels/portable/vectors.h"
#include "kernels/reference/kv_types.h"

namespace hearth::kernels::portable {
namespace {

/// Half precision to float without branches, so that a loop of it is compiled to vectors.
inline float decode_half(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, magnitude = h & 0x7fffu;
  const float normal = std::bit_cast<float>((magnitude << 13) + (112u << 23));
  const float subnormal = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
  uint32_t bits = std::bit_cast<uint32_t>(magnitude < 0x400u ? subnormal : normal);
  bits += (magnitude >= 0x7c00u) ? 112u << 23 : 0u;  // infinity and NaN: the exponent is all ones again
  return std::bit_cast<float>(bits | sign);
}

/// Element d of the keys of all positions of a page.
template <typename Type>
void key_row(float out[kPageTokens], const void* keys, int64_t k_dim, int64_t d) {
  if constexpr (std::is_same_v<Type, reference::KvF16>) {
    const auto* row = static_cast<const uint16_t*>(keys) + d * kPageTokens;
    for (int t = 0; t < kPageTokens; ++t) out[t] = decode_half(row[t]);
  } else {
    for (int t = 0; t < kPageTokens; ++t) out[t] = Type::key(keys, k_dim, t, d);
  }
}

/// Elements [first, first + n) of the values of one position.
template <typename Type>
void value_part(float* out, const void* values, int64_t v_dim, int slot, int64_t first, int64_t n) {
  if constexpr (std::is_same_v<Type, reference::KvF16>) {
    const auto* part = static_cast<const uint16_t*>(values) + slot * v_dim + first;
    for (int64_t d = 0; d < n; ++d) out[d] = decode_half(part[d]);
  } else {
    for (int64_t d = 0; d < n; ++d) out[d] = Type::value(values, v_dim, slot, first + d);
  }
}

struct Rows {
  void (*key)(float* out, const void* keys, int64_t k_dim, int64_t d);
  void (*value)(float* out, const void* values, int64_t v_dim, int slot, int64_t first, int64_t n);
};
constexpr Rows kRowsOf[] = {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) \
  {key_row<reference::Kv##Name>, value_part<reference::Kv##Name>},
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
};

/// sums [nq, 64] = q . k_t, in double.
void sum_scores(double* sums, const float* q, int nq, const KvPage& page, const AttentionShape& shape) {
  const auto key = kRowsOf[static_cast<int>(shape.k_type)].key;
  for (int64_t i = 0; i < int64_t{nq} * kPageTokens; ++i) sums[i] = 0;
  for (int64_t d = 0; d < shape.k_dim; ++d) {
    float keys[kPageTokens];
    double wide[kPageTokens];
    key(keys, page.k, shape.k_dim, d);
    for (int t = 0; t < kPageTokens; ++t) wide[t] = double{keys[t]};
    for (int64_t i = 0; i < nq; ++i) {
      const double x = double{q[i * shape.k_dim + d]};
      double* sum = sums + i * kPageTokens;
      for (int t = 0; t < kPageTokens; ++t) sum[t] += x * wide[t];
    }
  }
}

/// scores [nq, 64] from sums [nq, 64], which begin at the same address; largest[i] takes in those that query i sees.
void finish_scores(float* scores, const double* sums, float* largest, int nq, const AttentionShape& shape,
                   const uint64_t* visible, const float* alibi) {
  for (int64_t i = 0; i < nq; ++i) {
    for (int t = 0; t < kPageTokens; ++t) {
      double s;
      __builtin_memcpy(&s, sums + i * kPageTokens + t, sizeof s);
      if (((visible[i] >> t) & 1u) == 0) continue;
      if (shape.soft_cap > 0) s = double{shape.soft_cap} * std::tanh(s / double{shape.soft_cap});
      if (alibi != nullptr) s += double{alibi[2 * i]} * (double{alibi[2 * i + 1]} + t);
      const float score = static_cast<float>(s);
      store(scores + i * kPageTokens + t, score);
      largest[i] = std::fmax(largest[i], score);
    }
  }
}

/// acc += p v, element by element, rounded to float after each addition.
void add_value(float* __restrict acc, double p, const float* __restrict v, int64_t n) {
  for (int64_t d = 0; d < n; ++d) acc[d] = static_cast<float>(double{acc[d]} + p * double{v[d]});
}

void attend_page(const AttentionState& state, const float* q, int nq, const KvPage& page, const AttentionShape& shape,
                 const uint64_t* visible, const float* alibi, float* scratch) {
  static_assert(2 * kAttendMaxQueries * kPageTokens <= kAttendMaxQueries * kPageTokens + 4096);  // sums fit scratch
  float largest[kAttendMaxQueries];
  double sum[kAttendMaxQueries];
  for (int i = 0; i < nq; ++i) largest[i] = state.max[i];
  auto* sums = static_cast<double*>(static_cast<void*>(scratch));
  sum_scores(sums, q, nq, page, shape);
  finish_scores(scratch, sums, largest, nq, shape, visible, alibi);

  uint64_t seen = 0;  // by any query
  for (int64_t i = 0; i < nq; ++i) {
    if (largest[i] == -INFINITY) continue;  // nothing seen, or nothing with any weight
    seen |= visible[i];
    const double keep = std::exp(double{state.max[i]} - double{largest[i]});
    float* acc = state.acc + i * shape.v_dim;
    for (int64_t d = 0; d < shape.v_dim; ++d) acc[d] = static_cast<float>(double{acc[d]} * keep);
    sum[i] = double{state.sum[i]} * keep;
  }
  const auto value = kRowsOf[static_cast<int>(shape.v_type)].value;
  for (int t = 0; t < kPageTokens; ++t) {
    if (((seen >> t) & 1u) == 0) continue;
    double p[kAttendMaxQueries];
    for (int64_t i = 0; i < nq; ++i) {
      if (((visible[i] >> t) & 1u) == 0 || largest[i] == -INFINITY) continue;
      p[i] = std::exp(double{load<float>(scratch + i * kPageTokens + t)} - double{largest[i]});
      sum[i] += p[i];
    }
    constexpr int64_t kPart = 256;
    float values[kPart];
    for (int64_t first = 0; first < shape.v_dim; first += kPart) {
      const int64_t n = (shape.v_dim - first < kPart) ? shape.v_dim - first : kPart;
      value(values, page.v, shape.v_dim, t, first, n);
      for (int64_t i = 0; i < nq; ++i) {
        if (((visible[i] >> t) & 1u) == 0 || largest[i] == -INFINITY) continue;
        add_value(state.acc + i * shape.v_dim + first, p[i], values, n);
      }
    }
  }
  for (int64_t i = 0; i < nq; ++i) {
    if (largest[i] == -INFINITY) continue;
    state.max[i] = largest[i];
    state.sum[i] = static_cast<float>(sum[i]);
  }
}

/// Bits of the slots of page p in [first, end).
uint64_t slots_between(int64_t first, int64_t end, int64_t p) {
  const int64_t begin = first - p * kPageTokens, stop = end - p * kPageTokens;
  if (begin >= kPageTokens || stop <= 0 || stop <= begin) return 0;
  const uint64_t below_stop = (stop >= kPageTokens) ? ~uint64_t{0} : (uint64_t{1} << stop) - 1;
  return (begin <= 0) ? below_stop : below_stop & ~((uint64_t{1} << begin) - 1);
}

void attend_run(const AttentionState& state, const float* q, int nq, const PageRun& run, const AttentionShape& shape,
                void* scratch) {
  for (int64_t i = 0; i < nq; i += kAttendMaxQueries) {
    const int n = static_cast<int>((nq - i < kAttendMaxQueries) ? nq - i : kAttendMaxQueries);
    const AttentionState some{state.max + i, state.sum + i, state.acc + i * shape.v_dim};
    for (int64_t p = 0; p < run.n_pages; ++p) {
      uint64_t visible[kAttendMaxQueries], any = 0;
      for (int64_t j = 0; j < n; ++j) {
        visible[j] = slots_between(run.first[i + j], run.end[i + j], p);
        if (run.held != nullptr) visible[j] &= run.held[p];
        any |= visible[j];
      }
      if (any == 0) continue;
      attend_page(some, q + i * shape.k_dim, n, run.pages[p], shape, visible, nullptr, static_cast<float*>(scratch));
    }
  }
}

}  // namespace

void overlay_attention(KernelTable& table) {
  table.attend_page = attend_page;
  table.attend_run = attend_run;
}

}  // namespace hearth::kernels::portable
