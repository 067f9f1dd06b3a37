// Looks tensors up by name, checks their shapes and types, and remembers which were used and the first failure.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/model/weights.h"

namespace hearth {

/// The first rows [rows, cols] of a tensor as a matrix; without rows when its type cannot be computed with.
Matrix matrix_of(const GgufTensor& tensor, int64_t cols, int64_t rows);

/// Shapes are those of GGUF: cols first. After a failure the outputs stay empty; finish() reports it.
class Binder {
 public:
  explicit Binder(const GgufFile& file) : file_(file), used_(file.tensors().size(), false) {}

  bool has(const std::string& name) const { return file_.tensor(name) != nullptr; }
  bool has_shape(const std::string& name, std::initializer_list<int64_t> dims) const;

  void matrix(Matrix& out, const std::string& name, int64_t cols, int64_t rows, bool required = true);
  /// `base`.weight and, where the file has them, `base`.bias and `base`.scale.
  void linear(Linear& out, const std::string& base, int64_t cols, int64_t rows, bool required = true);
  /// Several layers whose rows lie one after the other in one tensor.
  void fused(std::initializer_list<std::pair<Linear*, int64_t>> parts, const std::string& base, int64_t cols);
  void experts(ExpertLinear& out, const std::string& base, int64_t cols, int64_t rows, int64_t n);
  /// The gates and then the ups of each expert in one tensor.
  void fused_experts(ExpertLinear& gate, ExpertLinear& up, const std::string& base, int64_t cols, int64_t rows,
                     int64_t n);
  /// Experts that are tensors of their own, `base`.0.weight and so on, of one type (older files).
  void separate_experts(ExpertLinear& out, const std::string& base, int64_t cols, int64_t rows, int64_t n);
  /// The first `rows` of every `stride` rows of `whole`, transposed: n matrices [whole's cols, rows] in `memory`.
  void transposed(ExpertLinear& out, FloatArray& memory, const Linear& whole, int64_t stride, int64_t rows, int64_t n);
  /// Tensors whose names begin so are not looked at.
  void pass_over(std::string_view prefix);
  void norm(Norm& out, const std::string& base, int64_t n, bool required = true);
  void floats(FloatArray& out, const std::string& name, int64_t n, bool required = true);

  /// A small matrix, row after row.
  void grid(FloatArray& out, const std::string& name, int64_t cols, int64_t rows);

  void fail(ErrorCode code, std::string message);
  /// Whether all that was asked for was there.
  bool complete() const { return ok_; }
  /// The first failure; or the first tensor with elements that nobody took.
  Status finish();
  /// Columns of the widest matrix that a product may meet.
  int64_t widest_input() const { return widest_input_; }
  /// Every tensor that was bound by linear(), fused() or experts(), but for those that are used in another form.
  std::vector<LinearTensor> take_linear_tensors() { return std::move(linear_tensors_); }
  /// Of all vectors copied so far.
  uint64_t copied_bytes() const { return copied_bytes_; }

 private:
  /// Marks a tensor as used; nullptr (and an error, if it is required) when absent or of another shape.
  const GgufTensor* take(const std::string& name, std::initializer_list<int64_t> dims, bool required);
  void fill(Matrix& out, const GgufTensor* tensor, int64_t cols, int64_t rows);
  /// `base`.scale where the file has it with n elements (another belongs to another stage). `base`.input_scale, a hint
  /// for processors that multiply in 4 bits, is passed over.
  const GgufTensor* take_scale(const std::string& base, int64_t n);
  void copy(FloatArray& out, const GgufTensor& tensor);
  /// Of a tensor of any type; leaves `out` as it is where the file's data is not there (plans).
  void count_copy(int64_t n_floats);
  void read_floats(float* out, const GgufTensor& tensor);

  const GgufFile& file_;
  std::vector<bool> used_;
  std::vector<LinearTensor> linear_tensors_;
  uint64_t copied_bytes_ = 0;
  int64_t widest_input_ = 0;
  bool ok_ = true;
  Error error_;
};

}  // namespace hearth
