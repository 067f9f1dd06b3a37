// Tensors to matrices and vectors.
#include "lib/model/binder.h"

#include <algorithm>
#include <span>

#include "lib/base/concat.h"
#include "lib/gguf/kernel_index.h"

namespace hearth {
namespace {

std::string shape_text(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) concat_to(text, (i ? ", " : ""), dims[i]);
  return text + "]";
}

/// Adds n elements of `whole`; where it has no data, it has one element that stands for all.
void append_part(FloatArray& out, const FloatArray& whole, int64_t begin, int64_t n) {
  if (static_cast<size_t>(begin + n) > whole.size()) return out.assign(1, 0.0f);
  out.insert(out.end(), whole.begin() + static_cast<ptrdiff_t>(begin),
             whole.begin() + static_cast<ptrdiff_t>(begin + n));
}

Matrix rows_of(const Matrix& whole, int64_t first, int64_t n) {
  Matrix part = whole;
  part.rows = n;
  if (part.data) part.data += first * whole.row_bytes;
  return part;
}

}  // namespace

Matrix matrix_of(const GgufTensor& tensor, int64_t cols, int64_t rows) {
  const int index = kernel_index(tensor.type);
  if (index < 0) return {};
  const TensorTypeInfo& info = *tensor_type_info(tensor.type);
  return {tensor.data, static_cast<kernels::TypeIndex>(index), rows, cols, cols / info.block_size * info.block_bytes};
}

bool Binder::has_shape(const std::string& name, std::initializer_list<int64_t> dims) const {
  const GgufTensor* tensor = file_.tensor(name);
  if (!tensor) return false;
  const std::span<const int64_t> want(dims.begin(), dims.size());
  for (size_t i = 0; i < 4; ++i) {
    if (tensor->dims[i] != (i < want.size() ? want[i] : 1)) return false;
  }
  return true;
}

const GgufTensor* Binder::take(const std::string& name, std::initializer_list<int64_t> dims, bool required) {
  const GgufTensor* tensor = file_.tensor(name);
  if (!tensor) {
    if (required) {
      fail(ErrorCode::kFormat,
           concat("missing tensor ", name, ", expected shape ", shape_text({dims.begin(), dims.size()})));
    }
    return nullptr;
  }
  if (!has_shape(name, dims)) {
    fail(ErrorCode::kFormat,
         concat("tensor ", name, " has shape ", shape_text(std::span(tensor->dims.data(), tensor->n_dims)),
                ", expected ", shape_text({dims.begin(), dims.size()})));
    return nullptr;
  }
  used_[static_cast<size_t>(tensor - file_.tensors().data())] = true;
  return tensor;
}

void Binder::matrix(Matrix& out, const std::string& name, int64_t cols, int64_t rows, bool required) {
  fill(out, take(name, {cols, rows}, required), cols, rows);
}

void Binder::linear(Linear& out, const std::string& base, int64_t cols, int64_t rows, bool required) {
  const GgufTensor* weight = take(base + ".weight", {cols, rows}, required);
  fill(out.w, weight, cols, rows);
  if (!out.w) return;
  widest_input_ = std::max(widest_input_, cols);
  out.name = weight->name;
  linear_tensors_.push_back({out.name, cols, rows, 0});
  floats(out.b, base + ".bias", rows, false);
  if (const GgufTensor* tensor = take_scale(base, 1)) read_floats(&out.w.scale, *tensor);
}

void Binder::fused(std::initializer_list<std::pair<Linear*, int64_t>> parts, const std::string& base, int64_t cols) {
  int64_t rows = 0;
  for (const auto& part : parts) rows += part.second;
  Linear whole;
  linear(whole, base, cols, rows);
  int64_t at = 0;
  for (const auto& [out, n] : parts) {
    if (whole) out->w = rows_of(whole.w, at, n);
    out->name = whole.name;
    out->first_row = at;
    if (!whole.b.empty()) append_part(out->b, whole.b, at, n);
    at += n;
  }
}

void Binder::experts(ExpertLinear& out, const std::string& base, int64_t cols, int64_t rows, int64_t n) {
  const GgufTensor* weight = take(base + ".weight", {cols, rows, n}, true);
  fill(out.w, weight, cols, rows);
  out.stride_bytes = out.w.row_bytes * rows;
  if (!out.w) return;
  widest_input_ = std::max(widest_input_, cols);
  out.name = weight->name;
  linear_tensors_.push_back({out.name, cols, rows, n});
  if (const GgufTensor* bias = take(base + ".bias", {rows, n}, false)) copy(out.b, *bias);
  if (const GgufTensor* tensor = take_scale(base, n)) copy(out.scale, *tensor);
}

void Binder::separate_experts(ExpertLinear& out, const std::string& base, int64_t cols, int64_t rows, int64_t n) {
  for (int64_t e = 0; e < n; ++e) {
    Linear one;
    linear(one, concat(base, ".", e), cols, rows);
    if (!one) return;
    linear_tensors_.pop_back();  // experts go by the name of the first
    if (e == 0) out = {one.w, 0, {}, {}, {}, one.name, 0};
    if (one.w.type != out.w.type || !one.b.empty() || one.w.scale != 1.0f) {
      return fail(ErrorCode::kUnsupported, concat("tensor ", one.name, " is not of the type of expert 0"));
    }
    out.parts.push_back(one.w.data);
  }
}

void Binder::transposed(ExpertLinear& out, FloatArray& memory, const Linear& whole, int64_t stride, int64_t rows,
                        int64_t n) {
  if (!whole) return;
  linear_tensors_.pop_back();
  const int64_t cols = whole.w.cols, row_bytes = rows * static_cast<int64_t>(sizeof(float));
  widest_input_ = std::max(widest_input_, rows);
  count_copy(n * cols * rows);
  out = {{nullptr, kernels::TypeIndex::kF32, cols, rows, row_bytes}, cols * row_bytes, {}, {}, {}, whole.name, 0};
  if (!whole.w.data) return;
  memory.resize(static_cast<size_t>(n * cols * rows));
  FloatArray row(static_cast<size_t>(cols));
  for (int64_t i = 0; i < n * rows; ++i) {
    const int64_t at = i / rows * stride + i % rows;
    kernels::kernels().types[static_cast<int>(whole.w.type)].dequantize(row.data(),
                                                                        whole.w.data + at * whole.w.row_bytes, cols);
    float* column = memory.data() + i / rows * cols * rows + i % rows;
    for (int64_t c = 0; c < cols; ++c) column[c * rows] = row[static_cast<size_t>(c)] * whole.w.scale;
  }
  out.w.data = reinterpret_cast<const std::byte*>(memory.data());
}

void Binder::pass_over(std::string_view prefix) {
  for (size_t i = 0; i < used_.size(); ++i) {
    if (file_.tensors()[i].name.starts_with(prefix)) used_[i] = true;
  }
}

void Binder::fused_experts(ExpertLinear& gate, ExpertLinear& up, const std::string& base, int64_t cols, int64_t rows,
                           int64_t n) {
  ExpertLinear whole;
  experts(whole, base, cols, 2 * rows, n);
  gate = {rows_of(whole.w, 0, rows), whole.stride_bytes, {}, {}, whole.scale, whole.name, 0};
  up = {rows_of(whole.w, rows, rows), whole.stride_bytes, {}, {}, whole.scale, whole.name, rows};
  for (int64_t e = 0; !whole.b.empty() && e < n; ++e) {
    append_part(gate.b, whole.b, e * 2 * rows, rows);
    append_part(up.b, whole.b, e * 2 * rows + rows, rows);
  }
}

void Binder::norm(Norm& out, const std::string& base, int64_t n, bool required) {
  floats(out.w, base + ".weight", n, required);
  if (out) floats(out.b, base + ".bias", n, false);
}

void Binder::floats(FloatArray& out, const std::string& name, int64_t n, bool required) {
  if (const GgufTensor* tensor = take(name, {n}, required)) copy(out, *tensor);
}

void Binder::grid(FloatArray& out, const std::string& name, int64_t cols, int64_t rows) {
  if (const GgufTensor* tensor = take(name, {cols, rows}, true)) copy(out, *tensor);
}

void Binder::fail(ErrorCode code, std::string message) {
  if (ok_) error_ = {code, std::move(message)};
  ok_ = false;
}

Status Binder::finish() {
  if (!ok_) return error_;
  for (size_t i = 0; i < used_.size(); ++i) {
    if (used_[i] || file_.tensors()[i].n_elements == 0) continue;
    return Error{ErrorCode::kFormat, concat("tensor ", file_.tensors()[i].name, " is not used by this architecture")};
  }
  return {};
}

void Binder::fill(Matrix& out, const GgufTensor* tensor, int64_t cols, int64_t rows) {
  if (!tensor) return;
  out = matrix_of(*tensor, cols, rows);
  if (out) return;
  const TensorTypeInfo* info = tensor_type_info(tensor->type);
  fail(ErrorCode::kUnsupported, concat("tensor ", tensor->name, " has type ", (info ? info->name : "?"),
                                       ", which this build cannot compute with"));
}

const GgufTensor* Binder::take_scale(const std::string& base, int64_t n) {
  take(base + ".input_scale", {n}, false);
  const GgufTensor* tensor = file_.tensor(base + ".scale");
  return tensor != nullptr && tensor->n_elements == n ? take(base + ".scale", {n}, false) : nullptr;
}

void Binder::count_copy(int64_t n_floats) {
  constexpr uint64_t kMost = uint64_t{1} << 62;  // sums of claims must not wrap around
  const uint64_t n_bytes = std::min(static_cast<uint64_t>(n_floats), kMost / sizeof(float)) * sizeof(float);
  copied_bytes_ = std::min(copied_bytes_ + n_bytes, kMost);
}

void Binder::read_floats(float* out, const GgufTensor& tensor) {
  const int index = kernel_index(tensor.type);
  if (index < 0) return fail(ErrorCode::kUnsupported, concat("tensor ", tensor.name, " is not of a float type"));
  if (tensor.data) kernels::kernels().types[index].dequantize(out, tensor.data, tensor.n_elements);
}

void Binder::copy(FloatArray& out, const GgufTensor& tensor) {
  // Without data a claim of the metadata allocates nothing; that the array is there is all that matters then.
  out.resize(tensor.data ? static_cast<size_t>(tensor.n_elements) : 1);
  count_copy(tensor.n_elements);
  read_floats(out.data(), tensor);
}

}  // namespace hearth
