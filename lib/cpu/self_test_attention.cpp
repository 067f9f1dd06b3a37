// Checks of KV types and attention.
#include <cmath>
#include <limits>
#include <string>

#include "lib/base/concat.h"
#include "lib/cpu/self_test.h"

namespace hearth::kernels {
namespace {

constexpr int kQueries = 37, kPages = 2;

/// Pages filled by the kernels under test, and what attention makes of them.
struct Attention {
  Attention(const KernelTable& isa, const AttentionShape& shape_) : table(isa), shape(shape_) {
    for (int p = 0; p < kPages; ++p) {
      k.emplace_back(static_cast<size_t>(shape.k_dim) * kPageTokens);  // floats: enough for any type
      v.emplace_back(static_cast<size_t>(shape.v_dim) * kPageTokens);
      pages[p] = {k.back().data(), v.back().data()};
      for (int t = 0; t < kPageTokens; ++t) {
        const auto seed = static_cast<uint32_t>(100 * p + t);
        store_kv(table, pages[p], shape, t, sample_floats(static_cast<size_t>(shape.k_dim), seed, 1.0f).data(),
                 sample_floats(static_cast<size_t>(shape.v_dim), seed + 1000, 1.0f).data());
      }
    }
    q = sample_floats(size_t{kQueries} * static_cast<size_t>(shape.k_dim), 9, 0.2f);
    max.assign(kQueries, -std::numeric_limits<float>::infinity());
    sum.assign(kQueries, 0.0f);
    acc.assign(size_t{kQueries} * static_cast<size_t>(shape.v_dim), 0.0f);
  }
  AttentionState state() { return {max.data(), sum.data(), acc.data()}; }

  bool run(bool whole_run) {
    const int64_t bytes = attend_run_scratch_bytes(kQueries, shape.k_dim, shape.v_dim);
    const Aligned scratch = allocate_aligned(bytes);
    if (!scratch) return false;
    if (whole_run) {
      std::vector<int32_t> first(kQueries, 0), end(kQueries);
      for (int i = 0; i < kQueries; ++i) end[static_cast<size_t>(i)] = kPages * kPageTokens - kQueries + i + 1;
      const PageRun all{pages, nullptr, kPages, first.data(), end.data()};
      table.attend_run(state(), q.data(), kQueries, all, shape, scratch.get());
      return true;
    }
    for (int p = 0; p < kPages; ++p) {
      std::vector<uint64_t> visible(kQueries);
      for (int i = 0; i < kQueries; ++i) visible[static_cast<size_t>(i)] = ~uint64_t{0} >> (i + 7 * p);
      table.attend_page(state(), q.data(), kQueries, pages[p], shape, visible.data(), nullptr,
                        static_cast<float*>(scratch.get()));
    }
    return true;
  }

  const KernelTable& table;
  AttentionShape shape;
  std::vector<std::vector<float>> k, v;
  KvPage pages[kPages];
  std::vector<float> q, max, sum, acc;
};

/// Normalized mean squared error of the outputs.
double error_of(const Attention& actual, const Attention& expected) {
  double error = 0, power = 0;
  for (size_t i = 0; i < actual.acc.size(); ++i) {
    const size_t query = i / static_cast<size_t>(actual.shape.v_dim);
    const double a = double{actual.acc[i]} / double{actual.sum[query]};
    const double e = double{expected.acc[i]} / double{expected.sum[query]};
    error += (a - e) * (a - e);
    power += e * e;
  }
  return error / power;
}

}  // namespace

void check_attention_kernels(std::vector<KernelCheck>& checks, const KernelTable& isa, const KernelTable& reference) {
  for (int i = 0; i < kKvTypeCount; ++i) {
    const auto type = static_cast<KvType>(i);
    for (const bool whole_run : {false, true}) {
      double worst = 0;
      for (const int dim : {64, 40}) {
        Attention actual(isa, {dim, dim, type, type, 0});
        Attention expected(reference, actual.shape);
        const bool ran = actual.run(whole_run) && expected.run(whole_run);
        const double error = ran ? error_of(actual, expected) : NAN;
        worst = error > worst || std::isnan(error) ? error : worst;
      }
      const std::string name = concat(whole_run ? "attend_run" : "attend_page", " ", kv_type_info(type).name);
      report_check(checks, isa, name.c_str(), worst,
                   whole_run                           ? 1e-6
                   : kv_type_info(type).block_size > 1 ? 1e-8
                                                       : 1e-11);
    }
  }
}

}  // namespace hearth::kernels
