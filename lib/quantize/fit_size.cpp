// Types chosen tensor by tensor so that the file has a size: a knapsack over measured error per byte.
//
// What a tensor's error counts is its share of what the tensor does: sum of w (x - y)^2 / sum of w x^2, w being the
// importance of columns (the mean squares of the inputs), hence the relative error of the product, squared. The sum
// over all tensors is made small: of each tensor only types on the lower convex hull of (bytes, error) are of use, and
// the step to the next of them that takes off most error per byte is taken first (the greedy solution of the relaxed
// knapsack, Dantzig 1957, which is optimal but for the last step).
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/gguf/tensor_size.h"
#include "lib/quantize/quantizer_impl.h"

namespace hearth {
namespace {

/// Elements that errors are measured on, a tensor and type.
constexpr int64_t kSampledElements = 32768;

/// Types to choose from, where rows divide. Those below Q2_K need an importance matrix.
constexpr TensorType kChoices[] = {
    TensorType::kQ2_K, TensorType::kQ3_K, TensorType::kIQ4_XS, TensorType::kQ4_K,
    TensorType::kQ5_K, TensorType::kQ6_K, TensorType::kIQ4_NL, TensorType::kQ4_1,
    TensorType::kQ5_0, TensorType::kQ5_1, TensorType::kQ8_0,
};
constexpr TensorType kChoicesWithImportance[] = {
    TensorType::kIQ2_XXS,
    TensorType::kIQ2_S,
    TensorType::kIQ3_XXS,
    TensorType::kIQ3_S,
};

struct Choice {
  TensorType type;
  uint64_t bytes;
  double error;
};

/// Ascending by bytes, with less error for each byte more than the step before.
std::vector<Choice> convex_hull(std::vector<Choice> all) {
  std::sort(all.begin(), all.end(), [](const Choice& a, const Choice& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.error < b.error;
  });
  std::vector<Choice> hull;
  const auto gain = [](const Choice& a, const Choice& b) {
    return (a.error - b.error) / static_cast<double>(b.bytes - a.bytes);
  };
  for (const Choice& choice : all) {
    if (!hull.empty() && choice.error >= hull.back().error) continue;
    while (hull.size() > 1 && gain(hull[hull.size() - 2], hull.back()) <= gain(hull.back(), choice)) hull.pop_back();
    if (!hull.empty() && hull.back().bytes == choice.bytes) continue;
    hull.push_back(choice);
  }
  return hull;
}

/// The tensors that have a choice.
struct Item {
  size_t tensor;
  std::vector<Choice> hull;
  size_t at = 0;
};

/// Takes steps while there is one that fits into `room` bytes.
void take_steps(std::vector<Item>& items, uint64_t room) {
  for (;;) {
    Item* best = nullptr;
    double best_gain = 0;
    for (Item& item : items) {
      if (item.at + 1 == item.hull.size()) continue;
      const Choice &now = item.hull[item.at], &next = item.hull[item.at + 1];
      const double gain = (now.error - next.error) / static_cast<double>(next.bytes - now.bytes);
      if (next.bytes - now.bytes > room || gain <= best_gain) continue;
      best = &item;
      best_gain = gain;
    }
    if (best == nullptr) return;
    room -= best->hull[best->at + 1].bytes - best->hull[best->at].bytes;
    ++best->at;
  }
}

/// The mix whose name a file gets when this type has most of its bytes.
const Mix* mix_of_base(TensorType type) {
  for (const char* name : mix_names()) {
    const Mix* mix = find_mix(name);
    if (mix != nullptr && mix->base == type) return mix;
  }
  return find_mix("F16");
}

}  // namespace

/// Bytes of the output beside tensor data, at most: the source's metadata, keys that are added, infos, checksums,
/// padding.
uint64_t Quantizer::Impl::overhead_bytes() const {
  uint64_t first = UINT64_MAX;
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.shard == 0) first = std::min(first, tensor.file_offset);
  }
  uint64_t bytes = (first == UINT64_MAX ? 0 : first) + 4096 + options.importance_file.size();
  if (options.importance != nullptr) {
    for (const std::string& one : options.importance->datasets) bytes += one.size() + 2;
  }
  for (const TensorPlan& p : plan) bytes += file.alignment() + 8 + 8 + p.name.size() + 4 + 32 + 12;
  return bytes;
}

Result<double> Quantizer::Impl::measure_tensor(size_t i, TensorType type, RowEncoder& encoder) const {
  const GgufTensor& tensor = *tensors[i];
  const Result<ErrorSums> sums =
      encoder.measure(tensor, type, importance_for(tensor), reader_of(tensor), kSampledElements);
  if (!sums) return sums.error();
  if (options.progress && !options.progress({plan[i].name, i, plan.size(), i, plan.size()})) {
    return Error{ErrorCode::kCancelled, "cancelled at tensor " + quote(plan[i].name)};
  }
  return sums->relative();
}

Status Quantizer::Impl::fit_size() {
  if (Status s = check_requantizing(); !s) return s;
  Result<RowEncoder> encoder = RowEncoder::create(n_threads(), options.pool);
  if (!encoder) return encoder.error();
  std::vector<Item> items;
  uint64_t fixed = overhead_bytes();
  for (size_t i = 0; i < plan.size(); ++i) {
    const GgufTensor& tensor = *tensors[i];
    std::vector<TensorType> types(std::begin(kChoices), std::end(kChoices));
    if (importance_for(tensor) != nullptr) {
      types.insert(types.end(), std::begin(kChoicesWithImportance), std::end(kChoicesWithImportance));
    }
    const bool is_free = plan[i].source != plan[i].target;
    std::vector<Choice> choices;
    for (const TensorType type : types) {
      const Result<TensorSize> size = tensor_size(type, std::span(tensor.dims).first(tensor.n_dims));
      if (!is_free || !size || size->size_bytes >= tensor.size_bytes) continue;
      const Result<double> error = measure_tensor(i, type, *encoder);
      if (!error) return error.error();
      choices.push_back({type, size->size_bytes, *error});
    }
    if (choices.empty()) {
      fixed += plan[i].target_bytes;
      continue;
    }
    choices.push_back({tensor.type, tensor.size_bytes, 0.0});
    items.push_back({i, convex_hull(std::move(choices))});
    fixed += items.back().hull.front().bytes;
  }
  if (fixed > options.size_target) {
    return Error{ErrorCode::kLimit, concat("a size target of ", options.size_target,
                                           " bytes cannot be met: the smallest file has ", fixed)};
  }
  take_steps(items, options.size_target - fixed);
  for (const Item& item : items) {
    plan[item.tensor].target = item.hull[item.at].type;
    plan[item.tensor].target_bytes = item.hull[item.at].bytes;
    plan[item.tensor].is_fallback = false;
  }
  std::vector<uint64_t> bytes_by_type(64);
  for (const TensorPlan& p : plan) bytes_by_type[static_cast<size_t>(p.target) % 64] += p.target_bytes;
  const auto most = std::max_element(bytes_by_type.begin(), bytes_by_type.end()) - bytes_by_type.begin();
  mix = mix_of_base(static_cast<TensorType>(most));
  return {};
}

Result<QuantizeError> Quantizer::Impl::measure() {
  Result<RowEncoder> encoder = RowEncoder::create(n_threads(), options.pool);
  if (!encoder) return encoder.error();
  QuantizeError all;
  size_t n = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    if (plan[i].source == plan[i].target) continue;
    const Result<double> error = measure_tensor(i, plan[i].target, *encoder);
    if (!error) return error.error();
    all.mean_square += *error;
    ++n;
    if (*error <= all.largest_square) continue;
    all.largest_square = *error;
    all.largest_tensor = plan[i].name;
  }
  if (n > 0) all.mean_square /= static_cast<double>(n);
  return all;
}

}  // namespace hearth
