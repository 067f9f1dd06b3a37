// Checks of the kernels of matrix products: decoding, quantized activations and products of every tensor type.
#include <algorithm>
#include <cmath>
#include <string>

#include "lib/base/concat.h"
#include "lib/cpu/self_test.h"

namespace hearth::kernels {
namespace {

constexpr int kRows = 9, kColumns = 5;
constexpr int64_t kElements = int64_t{kPanelBlocks} * kActBlock;
static_assert(kElements <= kWideChunk);

/// Largest difference of two sums of floats, and what is added where both factors are rounded to bfloat16, by up to
/// 2^-8.
constexpr double kSums = 2e-5, kBFloat16 = 0x1p-7 + 0x1p-16;
/// The same where both are sums of two such numbers.
constexpr double kTwoBFloat16 = 0x1p-14;

constexpr const char* kTypeNames[] = {
#define HEARTH_FLOAT_TYPE(Name, size, bytes) #Name,
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) #Name,
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
};

/// A tile of random weights and the floats that it stands for.
struct Tile {
  Tile(const TypeKernels& traits, uint32_t seed)
      : row_bytes(kElements / traits.block_size * traits.block_bytes),
        bytes(static_cast<size_t>(kRows * row_bytes)),
        values(static_cast<size_t>(kRows * kElements)) {
    fill_blocks(traits, seed);
    traits.dequantize(values.data(), bytes.data(), kRows * kElements);
  }

  /// Random bytes, drawn again until a block stands for ordinary numbers.
  void fill_blocks(const TypeKernels& traits, uint32_t seed) {
    uint32_t state = seed;
    std::vector<float> x(static_cast<size_t>(traits.block_size));
    for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(traits.block_bytes)) {
      float largest = 0;
      for (int tries = 0; tries < 10000 && !(largest > 0.05f && largest < 20.0f); ++tries) {
        for (int i = 0; i < traits.block_bytes; ++i) {
          state = state * 1664525u + 1013904223u;
          bytes[at + static_cast<size_t>(i)] = static_cast<uint8_t>(state >> 24);
        }
        traits.dequantize(x.data(), &bytes[at], traits.block_size);
        largest = 0;
        for (const float v : x) largest = std::isfinite(v) ? std::fmax(largest, std::fabs(v)) : 1e30f;
      }
    }
  }
  WeightTile view(bool many_columns = false) const {
    return {bytes.data(), row_bytes, kRows, nullptr, 0, many_columns};
  }

  int64_t row_bytes;
  std::vector<uint8_t> bytes;
  std::vector<float> values;
};

/// Which kernels a product uses.
struct Form {
  const char* name;
  int n_cols;
  bool has_panel;  ///< else the kernels for few columns, if there are any
  bool many_columns = false;
};
constexpr Form kForms[] = {{"matmul ", kColumns, true},
                           {"matmul many columns ", kColumns, true, true},
                           {"matmul few columns ", kDotCols, false},
                           {"matmul column ", 1, false}};

/// acc [form.n_cols, kPanelRows] of a tile times x [kColumns, kElements]; empty when memory is short.
std::vector<float> product(const KernelTable& t, int type, const Tile& tile, const std::vector<float>& x,
                           const Form& form) {
  const TypeKernels& traits = t.types[type];
  const int n_cols = form.n_cols;
  const Aligned panel = allocate_aligned(kPanelBytes), acts = allocate_aligned(act_group_bytes(kElements, n_cols));
  std::vector<float> acc(size_t{kColumns} * kPanelRows);
  if (!panel || !acts) return {};
  const ActGroup group = act_group_at(acts.get(), kElements, n_cols);
  const float* columns[kColumns];
  for (int c = 0; c < kColumns; ++c) columns[c] = x.data() + c * kElements;
  const bool floats = traits.kind == PanelKind::kFloat;
  for (int c = 0; c < n_cols && !floats; ++c) t.matmul.pack_acts(group, c, columns[c], kElements);
  if (floats && !form.has_panel && n_cols == 1) {
    t.matmul.dot_rows[type](acc.data(), tile.view(), columns[0], kElements);
  } else if (!form.has_panel && n_cols <= t.matmul.dot_most_cols[type] && t.matmul.dot_columns[type] != nullptr) {
    t.matmul.dot_columns[type](acc.data(), kPanelRows, tile.view(), acts.get(), act_group_bytes(kElements, n_cols),
                               kElements, n_cols);
  } else {
    t.matmul.decode[type](panel.get(), tile.view(form.many_columns), kElements);
    if (floats) {
      t.matmul.multiply_floats(acc.data(), panel.get(), columns, n_cols, kElements, true);
    } else {
      t.matmul.multiply[static_cast<int>(traits.kind)](acc.data(), panel.get(), group, kPanelBlocks, true);
    }
  }
  return acc;
}

/// The same from wide kernels, of which one chunk takes all elements.
std::vector<float> wide_product(const KernelTable& t, int type, const Tile& tile, const std::vector<float>& x) {
  const WideKernels& wide = t.matmul.wide;
  const Aligned codes = allocate_aligned(kPanelBytes), panel = allocate_aligned(kWidePanelBytes);
  const Aligned memory = allocate_aligned(2 * kColumns * kElements), low = allocate_aligned(2 * kColumns * kElements);
  const Aligned sums = allocate_aligned(kColumns * kPanelRows * int64_t{sizeof(float)});
  if (!codes || !panel || !memory || !low || !sums) return {};
  const WideActs acts = {memory.get(), kColumns, kElements}, rests = {low.get(), kColumns, kElements};
  const float* columns[kColumns];
  for (int c = 0; c < kColumns; ++c) columns[c] = x.data() + c * kElements;
  wide.pack(acts, 0, kColumns, columns);
  auto* acc = static_cast<float*>(sums.get());
  const WideBlock block = {acc, nullptr};
  if (wide.split[type] != nullptr) {
    void* panel_rests = static_cast<std::byte*>(panel.get()) + kWidePanelBytes / 2;
    wide.pack_rests(rests, 0, kColumns, columns);
    wide.split[type](panel.get(), panel_rests, tile.view(), kElements);
    wide.multiply(&block, 1, panel.get(), acts, 0, 0, true);
    wide.multiply(&block, 1, panel.get(), rests, 0, 0, false);
    if (wide.has_rests[type]) wide.multiply(&block, 1, panel_rests, acts, 0, 0, false);
    return {acc, acc + kColumns * kPanelRows};
  }
  t.matmul.decode[type](codes.get(), tile.view(), kElements);
  wide.expand[static_cast<int>(t.types[type].kind)](panel.get(), codes.get(), kElements);
  wide.multiply(&block, 1, panel.get(), acts, 0, 0, true);
  return {acc, acc + kColumns * kPanelRows};
}

/// What wide_product is to give, from the floats that the tile stands for.
std::vector<float> exact_product(const Tile& tile, const std::vector<float>& x) {
  std::vector<float> acc(size_t{kColumns} * kPanelRows);
  for (int c = 0; c < kColumns; ++c) {
    for (int r = 0; r < kRows; ++r) {
      double sum = 0;
      for (int64_t k = 0; k < kElements; ++k) {
        sum += double{tile.values[static_cast<size_t>(r * kElements + k)]} *
               double{x[static_cast<size_t>(c * kElements + k)]};
      }
      acc[static_cast<size_t>(c * kPanelRows + r)] = static_cast<float>(sum);
    }
  }
  return acc;
}

/// Largest difference in units of the sum of magnitudes of each product.
double difference(const Tile& tile, const std::vector<float>& x, const std::vector<float>& actual,
                  const std::vector<float>& expected, int n_cols) {
  double worst = actual.empty() || expected.empty() ? NAN : 0;
  for (int c = 0; c < n_cols && !std::isnan(worst); ++c) {
    for (int r = 0; r < kRows; ++r) {
      double magnitude = 1e-30;
      for (int64_t k = 0; k < kElements; ++k) {
        magnitude += std::fabs(double{tile.values[static_cast<size_t>(r * kElements + k)]} *
                               double{x[static_cast<size_t>(c * kElements + k)]});
      }
      const auto at = static_cast<size_t>(c * kPanelRows + r);
      const double d = std::fabs(double{actual[at]} - double{expected[at]}) / magnitude;
      worst = d > worst || std::isnan(d) ? d : worst;
    }
  }
  return worst;
}

}  // namespace

void check_matmul_kernels(std::vector<KernelCheck>& checks, const KernelTable& isa, const KernelTable& reference) {
  const std::vector<float> x = sample_floats(size_t{kColumns} * kElements, 5, 1.0f);
  for (int type = 0; type < kTypeCount; ++type) {
    const Tile tile(reference.types[type], static_cast<uint32_t>(type + 1));
    for (const Form& form : kForms) {
      const double error =
          difference(tile, x, product(isa, type, tile, x, form), product(reference, type, tile, x, form), form.n_cols);
      report_check(checks, isa, (concat(form.name, kTypeNames[type])).c_str(), error, kSums);
    }
    const bool split = isa.matmul.wide.split[type] != nullptr;
    if (isa.matmul.wide.least_cols == 0 || (isa.types[type].kind == PanelKind::kFloat && !split)) continue;
    const double error = difference(tile, x, wide_product(isa, type, tile, x), exact_product(tile, x), kColumns);
    report_check(checks, isa, concat("matmul wide ", kTypeNames[type]).c_str(), error,
                 kSums + (split ? kTwoBFloat16 : kBFloat16));
  }
}

}  // namespace hearth::kernels
