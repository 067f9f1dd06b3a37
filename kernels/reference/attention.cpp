// Attention of some queries to one page of keys and values, with the online softmax: reference version.
//   s_t = cap(q . k_t) + slope (distance + t)
//   m' = max(m, max_t s_t);  l' = l e^(m - m') + sum_t e^(s_t - m');  a' = a e^(m - m') + sum_t e^(s_t - m') v_t
// Milakov & Gimelshein 2018, "Online normalizer calculation for softmax"; Press et al. 2021 (ALiBi).
#include <cmath>

#include "kernels/reference/kv_types.h"
#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {
namespace {

bool sees(uint64_t visible, int slot) {
  return ((visible >> slot) & 1u) != 0;
}

double score(const float* q, const KvPage& page, const AttentionShape& shape, int slot) {
  const auto key = kv_elements(shape.k_type).key;
  double sum = 0;
  for (int64_t d = 0; d < shape.k_dim; ++d) sum += double{q[d]} * double{key(page.k, shape.k_dim, slot, d)};
  if (shape.soft_cap > 0) sum = double{shape.soft_cap} * std::tanh(sum / double{shape.soft_cap});
  return sum;
}

/// One query; scores: [64] scratch.
void attend_one(float* max, float* sum, float* acc, const float* q, const KvPage& page, const AttentionShape& shape,
                uint64_t visible, const float* alibi, float* scores) {
  float new_max = *max;
  for (int t = 0; t < kPageTokens; ++t) {
    if (!sees(visible, t)) continue;
    double s = score(q, page, shape, t);
    if (alibi != nullptr) s += double{alibi[0]} * (double{alibi[1]} + t);
    scores[t] = static_cast<float>(s);
    new_max = std::fmax(new_max, scores[t]);
  }
  if (new_max == -INFINITY) return;  // nothing seen, or nothing with any weight

  const double keep = std::exp(double{*max} - double{new_max});
  for (int64_t d = 0; d < shape.v_dim; ++d) acc[d] = static_cast<float>(double{acc[d]} * keep);
  const auto value = kv_elements(shape.v_type).value;
  double new_sum = double{*sum} * keep;
  for (int t = 0; t < kPageTokens; ++t) {
    if (!sees(visible, t)) continue;
    const double p = std::exp(double{scores[t]} - double{new_max});
    new_sum += p;
    for (int64_t d = 0; d < shape.v_dim; ++d) {
      acc[d] = static_cast<float>(double{acc[d]} + p * double{value(page.v, shape.v_dim, t, d)});
    }
  }
  *max = new_max;
  *sum = static_cast<float>(new_sum);
}

}  // namespace

void attend_page(const AttentionState& state, const float* q, int nq, const KvPage& page, const AttentionShape& shape,
                 const uint64_t* visible, const float* alibi, float* scratch) {
  for (int64_t i = 0; i < nq; ++i) {
    attend_one(&state.max[i], &state.sum[i], state.acc + i * shape.v_dim, q + i * shape.k_dim, page, shape, visible[i],
               alibi != nullptr ? alibi + 2 * i : nullptr, scratch);
  }
}

}  // namespace hearth::kernels::reference
