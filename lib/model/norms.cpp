// Normalization stages over the rows of a batch.
#include <cstring>

#include "lib/model/forward.h"

namespace hearth {
void norm_row(const ForwardContext& c, float* out, const float* in, const Norm& norm, int64_t width) {
  const auto& k = kernels::kernels();
  if (c.arch->norm == NormKind::kRms) {
    k.rms_norm(out, in, norm.w.data(), width, c.hp->norm_eps);
    if (!norm.b.empty()) k.add(out, norm.b.data(), width);
  } else {
    k.layer_norm(out, in, norm.w.data(), norm.b.empty() ? nullptr : norm.b.data(), width, c.hp->norm_eps);
  }
}

void norm_rows(const ForwardContext& c, float* out, const float* in, const Norm& norm, int n, int width) {
  for_rows(c, n, width, [&](int t) {
    float* to = out + int64_t{t} * width;
    const float* from = in + int64_t{t} * width;
    if (norm) {
      norm_row(c, to, from, norm, width);
    } else if (to != from) {
      std::memcpy(to, from, static_cast<size_t>(width) * sizeof(float));
    }
  });
}

void add_norm_rows(const ForwardContext& c, float* x, const float* y, float scale, float* h, const Norm& norm, int n) {
  const int64_t d = c.hp->d_model;
  const auto& k = kernels::kernels();
  for_rows(c, n, d, [&](int t) {
    float* row = x + t * d;
    if (scale == 1.0f) {
      k.add(row, y + t * d, d);
    } else {
      k.axpy(row, scale, y + t * d, d);
    }
    if (norm) {
      norm_row(c, h + t * d, row, norm, d);
    } else {
      std::memcpy(h + t * d, row, static_cast<size_t>(d) * sizeof(float));
    }
  });
}

}  // namespace hearth
