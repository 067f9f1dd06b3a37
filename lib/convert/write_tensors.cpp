// Streams planned tensors: reads some rows, reorders, converts, writes.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/half.h"
#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/convert/tensor_plan.h"

namespace hearth {
namespace {

constexpr uint64_t kChunkBytes = uint64_t{4} << 20;

uint64_t bytes_of(TensorType type) {
  return type == TensorType::kF32 ? 4 : 2;
}

float to_float(TensorType type, const std::byte* from) {
  if (type == TensorType::kF32) {
    float value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, from, sizeof(bits));
  return type == TensorType::kF16 ? kernels::half_to_float(bits) : kernels::bf16_to_float(bits);
}

void from_float(TensorType type, float value, std::byte* to) {
  if (type == TensorType::kF32) {
    std::memcpy(to, &value, sizeof(value));
    return;
  }
  const uint16_t bits = type == TensorType::kF16 ? kernels::float_to_half(value) : kernels::float_to_bf16(value);
  std::memcpy(to, &bits, sizeof(bits));
}

class TensorStream {
 public:
  TensorStream(GgufWriter& out, const Safetensors& input, const ConvertOptions& options, uint64_t total_bytes)
      : out_(out), input_(input), options_(options), total_bytes_(total_bytes) {}

  Status write(const PlannedTensor& tensor);

 private:
  Status write_source(const PlannedTensor& tensor, const SafeTensor& source);
  Status write_stacked(const PlannedTensor& tensor, const SafeTensor& source);
  Status convert(const PlannedTensor& tensor, const SafeTensor& source, uint64_t row_bytes);
  void reorder(const PlannedTensor& tensor, uint64_t row_bytes, int64_t head_rows);
  Status advance(uint64_t bytes);

  GgufWriter& out_;
  const Safetensors& input_;
  const ConvertOptions& options_;
  uint64_t total_bytes_, done_bytes_ = 0;
  std::vector<std::byte> read_, reordered_, converted_;
};

/// Rows of each head that is in read_.
void TensorStream::reorder(const PlannedTensor&, uint64_t row_bytes, int64_t head_rows) {
  reordered_.resize(read_.size());
  const auto n_rows = static_cast<int64_t>(read_.size() / row_bytes);
  for (int64_t row = 0; row < n_rows; ++row) {
    const int64_t from = row - row % head_rows + unpaired_row(row % head_rows, head_rows);
    std::memcpy(reordered_.data() + static_cast<uint64_t>(row) * row_bytes,
                read_.data() + static_cast<uint64_t>(from) * row_bytes, static_cast<size_t>(row_bytes));
  }
  read_.swap(reordered_);
}

Status TensorStream::convert(const PlannedTensor& tensor, const SafeTensor& source, uint64_t) {
  const TensorType from = source.type();
  if (from == tensor.type && !tensor.plus_one && tensor.factor == 1.0f) return out_.write_data(read_);
  const uint64_t from_bytes = bytes_of(from), to_bytes = bytes_of(tensor.type), n = read_.size() / from_bytes;
  if (n > SIZE_MAX / to_bytes)
    return Error{ErrorCode::kOutOfMemory, concat("tensor ", quoted(source.name), " is too large here")};
  converted_.resize(static_cast<size_t>(n * to_bytes));
  for (uint64_t i = 0; i < n; ++i) {
    const float value = to_float(from, read_.data() + i * from_bytes) * tensor.factor + (tensor.plus_one ? 1.0f : 0.0f);
    if (tensor.type == TensorType::kF16 && std::isfinite(value) && std::abs(value) >= 65520.0f) {
      return Error{ErrorCode::kUnsupported, concat("tensor ", quoted(source.name), " holds ", std::to_string(value),
                                                   ", which F16 cannot; take BF16 or F32")};
    }
    from_float(tensor.type, value, converted_.data() + i * to_bytes);
  }
  return out_.write_data(converted_);
}

Status TensorStream::advance(uint64_t bytes) {
  done_bytes_ += bytes;
  const bool cancelled = options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed);
  const bool stopped = options_.on_progress && !options_.on_progress(done_bytes_, total_bytes_);
  if (cancelled || stopped) return Error{ErrorCode::kCancelled, "cancelled while converting"};
  return {};
}

/// Some rows at a time; of matrices whose heads are reordered, whole heads.
Status TensorStream::write_source(const PlannedTensor& tensor, const SafeTensor& source) {
  const bool is_vector = tensor.dims.size() == 1;
  const uint64_t n_columns = is_vector ? 1 : static_cast<uint64_t>(tensor.dims[0]);
  const uint64_t row_bytes = n_columns * bytes_of(source.type()), n_rows = source.size_bytes / row_bytes;
  const uint64_t head_rows = tensor.n_paired_heads > 0 ? n_rows / static_cast<uint64_t>(tensor.n_paired_heads) : 1;
  const uint64_t step = std::max<uint64_t>(kChunkBytes / (row_bytes * head_rows), 1) * head_rows;
  for (uint64_t row = static_cast<uint64_t>(tensor.n_skipped_rows); row < n_rows; row += step) {
    const uint64_t n = std::min(step, n_rows - row);
    if (n > SIZE_MAX / row_bytes)
      return Error{ErrorCode::kOutOfMemory, concat("tensor ", quoted(source.name), " is too large here")};
    read_.resize(static_cast<size_t>(n * row_bytes));
    if (Status s = input_.read(source, row * row_bytes, read_); !s) return s;
    if (tensor.n_paired_heads > 0) reorder(tensor, row_bytes, static_cast<int64_t>(head_rows));
    if (Status s = convert(tensor, source, row_bytes); !s) return s;
    if (Status s = advance(n * row_bytes); !s) return s;
  }
  return {};
}

/// Of each expert the rows of the part; an expert that lies the other way round is turned as a whole.
Status TensorStream::write_stacked(const PlannedTensor& tensor, const SafeTensor& source) {
  const StackedPart& part = tensor.stacked;
  const auto size = static_cast<size_t>(bytes_of(source.type()));
  const auto n_columns = static_cast<size_t>(part.n_columns), n_rows = static_cast<size_t>(tensor.dims[1]);
  const auto first_row = static_cast<size_t>(part.first_row), all_rows = static_cast<size_t>(part.n_rows);
  const uint64_t expert_bytes = source.size_bytes / static_cast<uint64_t>(part.n_experts);
  if (expert_bytes > SIZE_MAX / 2) {
    return Error{ErrorCode::kOutOfMemory, concat("tensor ", quoted(source.name), " is too large here")};
  }
  for (int64_t expert = 0; expert < part.n_experts; ++expert) {
    const uint64_t begin = static_cast<uint64_t>(expert) * expert_bytes;
    read_.resize(part.transposed ? static_cast<size_t>(expert_bytes) : n_rows * n_columns * size);
    const uint64_t first = part.transposed ? 0 : first_row * n_columns * size;
    if (Status s = input_.read(source, begin + first, read_); !s) return s;
    if (part.transposed) {
      reordered_.resize(n_rows * n_columns * size);
      for (size_t row = 0; row < n_rows; ++row) {
        for (size_t column = 0; column < n_columns; ++column) {
          std::memcpy(reordered_.data() + (row * n_columns + column) * size,
                      read_.data() + (column * all_rows + first_row + row) * size, size);
        }
      }
      read_.swap(reordered_);
    }
    const uint64_t n_done = read_.size();
    if (Status s = convert(tensor, source, 0); !s) return s;
    if (Status s = advance(n_done); !s) return s;
  }
  return {};
}

Status TensorStream::write(const PlannedTensor& tensor) {
  if (!tensor.values.empty()) return out_.write_data(std::as_bytes(std::span(tensor.values)));
  for (const SafeTensor* source : tensor.sources) {
    const bool stacked = tensor.stacked.n_experts > 0;
    if (Status s = stacked ? write_stacked(tensor, *source) : write_source(tensor, *source); !s) return s;
  }
  return {};
}

}  // namespace

Result<std::vector<float>> read_floats(const Safetensors& input, const SafeTensor& tensor) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.size_bytes));
  if (Status s = input.read(tensor, 0, bytes); !s) return s.error();
  std::vector<float> values(static_cast<size_t>(tensor.n_elements));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = to_float(tensor.type(), bytes.data() + i * bytes_of(tensor.type()));
  return values;
}

Status write_tensors(GgufWriter& out, const ConversionPlan& plan, const Safetensors& input,
                     const ConvertOptions& options) {
  uint64_t total = 0;
  for (const PlannedTensor& tensor : plan.tensors) {
    if (Status s = out.add_tensor(tensor.name, tensor.type, tensor.dims); !s) return s;
    for (const SafeTensor* source : tensor.sources) {
      total += tensor.stacked.n_experts > 0 ? source->size_bytes / static_cast<uint64_t>(tensor.stacked.n_rows) *
                                                  static_cast<uint64_t>(tensor.dims[1])
                                            : source->size_bytes;
    }
  }
  if (options.checksums) {
    if (Status s = out.add_checksums(); !s) return s;
  }
  TensorStream stream(out, input, options, total);
  for (const PlannedTensor& tensor : plan.tensors) {
    if (Status s = stream.write(tensor); !s) return s;
  }
  if (Status s = input.check_unchanged(); !s) return s;
  return out.finish();
}

}  // namespace hearth
