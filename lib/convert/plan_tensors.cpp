// Decides what becomes of every array.
#include <algorithm>
#include <map>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/convert/tensor_plan.h"

namespace hearth {
namespace {

constexpr size_t kMostWarnings = 20;

/// Small matrices that are read in floats anyway.
bool stays_f32(std::string_view name) {
  return name == "position_embd.weight" || name == "token_types.weight" || name.ends_with("ffn_gate_inp.weight");
}

class Planner {
 public:
  Planner(const Family& family, const Architecture& arch, const ConfigSizes& sizes, const ConvertOptions& options)
      : family_(family), arch_(arch), sizes_(sizes), options_(options) {}

  /// Which way round stacked experts are; before the first add().
  void look_at_stacks(const Safetensors& input);
  Status add(const SafeTensor& tensor);
  void add_factors(const char* name, const std::vector<float>& values);
  Result<ConversionPlan> finish();

 private:
  Status shape(const SafeTensor& tensor, PlannedTensor& planned) const;
  Status add_expert(const SafeTensor& tensor, const NewName& name);
  Status add_stack(const SafeTensor& tensor, const NewName& name);
  void warn(std::string line) {
    if (plan_.warnings.size() < kMostWarnings) plan_.warnings.push_back(std::move(line));
  }

  const Family& family_;
  const Architecture& arch_;
  const ConfigSizes& sizes_;
  const ConvertOptions& options_;
  ConversionPlan plan_;
  std::map<std::string, std::map<int64_t, const SafeTensor*>> experts_;
  bool stacks_transposed_ = false;
};

bool is_gate_up(std::string_view name) {
  return name.ends_with(".ffn_gate_up_exps.weight");
}

/// All experts of a layer in one array.
bool is_stack(const SafeTensor& tensor, const NewName& name) {
  return tensor.shape.size() == 3 && (is_gate_up(name.name) || name.name.ends_with("_exps.weight"));
}

Error wrong_array(const SafeTensor& tensor, const std::string& what, ErrorCode code = ErrorCode::kFormat) {
  return Error{code, concat("tensor ", quoted(tensor.name), " ", what)};
}

Status Planner::shape(const SafeTensor& tensor, PlannedTensor& planned) const {
  if (tensor.float_type() == nullptr) return wrong_array(tensor, "is of type " + tensor.dtype, ErrorCode::kUnsupported);
  planned.dims.assign(tensor.shape.rbegin(), tensor.shape.rend());
  if (planned.dims.empty() || planned.dims.size() > 3 || tensor.n_elements == 0) {
    return wrong_array(tensor, "has a shape that GGUF has no place for");
  }
  const bool is_matrix = planned.dims.size() > 1 && !stays_f32(planned.name);
  planned.type = !is_matrix ? TensorType::kF32 : options_.type.value_or(tensor.type());
  return {};
}

/// Experts are collected, and become one tensor at the end.
Status Planner::add_expert(const SafeTensor& tensor, const NewName& name) {
  const auto [place, is_new] = experts_[name.name].emplace(name.expert, &tensor);
  if (!is_new) return wrong_array(tensor, concat("is a second expert ", name.expert));
  if (place->second->shape != experts_[name.name].begin()->second->shape) {
    return wrong_array(tensor, "has not the shape of the other experts");
  }
  return {};
}

/// Arrays that are as wide as the model both ways do not tell; the other array of a layer does.
void Planner::look_at_stacks(const Safetensors& input) {
  for (const SafeTensor& tensor : input.tensors()) {
    const auto name = rename_tensor(family_, tensor.name);
    if (!name || !is_stack(tensor, *name)) continue;
    const bool first = tensor.shape[1] == sizes_.d_model, second = tensor.shape[2] == sizes_.d_model;
    if (first == second) continue;
    stacks_transposed_ = is_gate_up(name->name) ? first : second;
    return;
  }
}

/// Gates, then what they gate, are two tensors of GGUF.
Status Planner::add_stack(const SafeTensor& tensor, const NewName& name) {
  if (tensor.float_type() == nullptr) return wrong_array(tensor, "is of type " + tensor.dtype, ErrorCode::kUnsupported);
  const int64_t n_rows = tensor.shape[stacks_transposed_ ? 2 : 1], n_columns = tensor.shape[stacks_transposed_ ? 1 : 2];
  const int n_parts = is_gate_up(name.name) ? 2 : 1;
  const int64_t width = n_parts == 2 ? n_columns : n_rows;
  if (width != sizes_.d_model || n_rows % n_parts != 0 || tensor.n_elements == 0) {
    return wrong_array(tensor, "has not the shape of stacked experts");
  }
  for (int part = 0; part < n_parts; ++part) {
    PlannedTensor planned;
    planned.name = name.name;
    if (n_parts == 2) planned.name.replace(name.name.find("gate_up"), 7, part == 0 ? "gate" : "up");
    planned.layer = name.layer;
    planned.sources = {&tensor};
    planned.stacked = {tensor.shape[0], n_rows, n_columns, part * (n_rows / n_parts), stacks_transposed_};
    planned.dims = {n_columns, n_rows / n_parts, tensor.shape[0]};
    planned.type = options_.type.value_or(tensor.type());
    plan_.tensors.push_back(std::move(planned));
  }
  return {};
}

Status Planner::add(const SafeTensor& tensor) {
  if (is_of_another_modality(tensor.name)) {
    if (plan_.warnings.empty()) warn("parts for pictures or sound are left out");
    return {};
  }
  const auto name = rename_tensor(family_, tensor.name);
  if (!name)
    return wrong_array(tensor, "is not known in models of type " + quote(family_.model_type), ErrorCode::kUnsupported);
  if (name->name.empty() || (name->name == "output.weight" && sizes_.tied)) return {};
  if (name->layer >= sizes_.n_layers + sizes_.n_extra_layers) {
    warn(concat("tensor ", quoted(tensor.name), " is left out: the model has ", sizes_.n_layers, " layers"));
    return {};
  }
  if (name->expert >= 0) return add_expert(tensor, *name);
  if (is_stack(tensor, *name)) return add_stack(tensor, *name);
  PlannedTensor planned;
  planned.name = name->name;
  planned.layer = name->layer;
  if (Status s = shape(tensor, planned); !s) return s;
  planned.sources = {&tensor};
  const int64_t n_rows = planned.dims.size() > 1 ? planned.dims[1] : planned.dims[0];
  const bool is_q = planned.name.find(".attn_q.") != std::string::npos;
  const bool is_k = planned.name.find(".attn_k.") != std::string::npos;
  if (arch_.rope == RopeLayout::kPairs && (is_q || is_k)) {
    planned.n_paired_heads = is_q ? sizes_.n_heads : sizes_.n_kv_heads;
    if (n_rows % (2 * planned.n_paired_heads) != 0) {
      return wrong_array(tensor, concat("has ", n_rows, " rows for ", planned.n_paired_heads, " heads"));
    }
  }
  if (planned.name == "position_embd.weight" && family_.first_position > 0) {
    planned.n_skipped_rows = family_.first_position;
    planned.dims[1] -= family_.first_position;
    if (planned.dims[1] < 1) return wrong_array(tensor, "has no rows");
  }
  planned.plus_one = family_.norms_plus_one && planned.name.ends_with("norm.weight");
  plan_.tensors.push_back(std::move(planned));
  return {};
}

void Planner::add_factors(const char* name, const std::vector<float>& values) {
  if (values.empty()) return;
  PlannedTensor planned;
  planned.name = name;
  planned.dims = {static_cast<int64_t>(values.size())};
  planned.values = values;
  plan_.tensors.push_back(std::move(planned));
}

Result<ConversionPlan> Planner::finish() {
  for (const auto& [name, by_number] : experts_) {
    const SafeTensor& first = *by_number.begin()->second;
    if (by_number.rbegin()->first != static_cast<int64_t>(by_number.size()) - 1) {
      return wrong_array(
          first, concat("lacks experts: ", by_number.size(), " are there, the last is ", by_number.rbegin()->first));
    }
    PlannedTensor planned;
    planned.name = name;
    if (Status s = shape(first, planned); !s) return s.error();
    if (planned.dims.size() != 2) return wrong_array(first, "is no matrix");
    planned.dims.push_back(static_cast<int64_t>(by_number.size()));
    for (const auto& [number, tensor] : by_number) planned.sources.push_back(tensor);
    std::string_view digits = std::string_view(name).substr(4);
    planned.layer = 0;
    for (; !digits.empty() && digits.front() >= '0' && digits.front() <= '9'; digits.remove_prefix(1)) {
      planned.layer = planned.layer * 10 + (digits.front() - '0');
    }
    plan_.tensors.push_back(std::move(planned));
  }
  std::sort(plan_.tensors.begin(), plan_.tensors.end(), [](const PlannedTensor& a, const PlannedTensor& b) {
    return a.layer != b.layer ? a.layer < b.layer : a.name < b.name;
  });
  for (size_t i = 1; i < plan_.tensors.size(); ++i) {
    if (plan_.tensors[i].name == plan_.tensors[i - 1].name) {
      return Error{ErrorCode::kFormat, "two arrays would become tensor " + quote(plan_.tensors[i].name)};
    }
  }
  return std::move(plan_);
}

}  // namespace

Result<ConversionPlan> plan_tensors(const Family& family, const Architecture& arch, const ConfigSizes& sizes,
                                    const RopeScalingKeys& rope, const Safetensors& input,
                                    const ConvertOptions& options) {
  Planner planner(family, arch, sizes, options);
  planner.look_at_stacks(input);
  for (const SafeTensor& tensor : input.tensors()) {
    if (Status s = planner.add(tensor); !s) return s.error();
  }
  planner.add_factors("rope_freqs.weight", rope.factors);
  planner.add_factors("rope_factors_long.weight", rope.long_factors);
  planner.add_factors("rope_factors_short.weight", rope.short_factors);
  return planner.finish();
}

}  // namespace hearth
