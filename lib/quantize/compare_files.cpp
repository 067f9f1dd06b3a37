// Decodes the tensors of two files and sums their differences.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "hearth/compare.h"
#include "hearth/threads.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/parallel.h"
#include "lib/base/quote.h"
#include "lib/gguf/kernel_index.h"

namespace hearth {
namespace {

constexpr int64_t kPieceElements = int64_t{1} << 18;  ///< of one task, in whole rows' blocks

struct PieceSums {
  double error = 0, values = 0, largest = 0;
};

/// Pieces end where blocks of both types end.
int64_t piece_elements(const GgufTensor& a, const GgufTensor& b) {
  const int64_t block = std::max<int64_t>(tensor_type_info(a.type)->block_size, tensor_type_info(b.type)->block_size);
  return kPieceElements / block * block;
}

void decode_piece(const GgufTensor& tensor, int64_t begin, int64_t n, std::vector<float>& out) {
  const TensorTypeInfo& info = *tensor_type_info(tensor.type);
  out.resize(static_cast<size_t>(n));
  const std::byte* from = tensor.data + begin / info.block_size * info.block_bytes;
  kernels::kernels().types[kernel_index(tensor.type)].dequantize(out.data(), from, n);
}

PieceSums compare_piece(const GgufTensor& a, const GgufTensor& b, int64_t begin, int64_t n) {
  std::vector<float> x, y;
  decode_piece(a, begin, n, x);
  decode_piece(b, begin, n, y);
  PieceSums sums;
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = static_cast<double>(x[i]), d = static_cast<double>(y[i]) - v;
    sums.error += d * d;
    sums.values += v * v;
    sums.largest = std::max(sums.largest, std::abs(d));
  }
  return sums;
}

Status check_comparable(const GgufTensor& tensor) {
  if (tensor.data == nullptr && tensor.size_bytes > 0) {
    return Error{ErrorCode::kInvalidArgument,
                 concat("tensor ", quoted(tensor.name), ": the file was opened without data")};
  }
  if (kernel_index(tensor.type) >= 0) return {};
  return Error{ErrorCode::kUnsupported, concat("tensor ", quoted(tensor.name), " is of a type without values")};
}

Result<TensorDifference> compare_tensor(const GgufTensor& a, const GgufTensor& b, Parallel& parallel) {
  TensorDifference d;
  d.name = a.name;
  d.type_a = a.type;
  d.type_b = b.type;
  d.n_elements = a.n_elements;
  d.bytes_a = a.size_bytes;
  d.bytes_b = b.size_bytes;
  for (const GgufTensor* tensor : {&a, &b}) {
    if (Status s = check_comparable(*tensor); !s) return s.error();
  }
  d.same_bytes = a.type == b.type && std::memcmp(a.data, b.data, static_cast<size_t>(a.size_bytes)) == 0;
  const int64_t step = piece_elements(a, b), n_pieces = (a.n_elements + step - 1) / step;
  std::vector<PieceSums> pieces(static_cast<size_t>(n_pieces));
  parallel.run(static_cast<int>(n_pieces), [&](int i, int) {
    const int64_t begin = i * step;
    pieces[static_cast<size_t>(i)] = compare_piece(a, b, begin, std::min(step, a.n_elements - begin));
  });
  for (const PieceSums& piece : pieces) {
    d.squared_error += piece.error;
    d.squared_values += piece.values;
    d.largest_error = std::max(d.largest_error, piece.largest);
  }
  return d;
}

bool same_value(const GgufValue& a, const GgufValue& b) {
  return a.type() == b.type() && a.element_type() == b.element_type() && a.bytes().size() == b.bytes().size() &&
         std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

void compare_metadata(const GgufFile& a, const GgufFile& b, std::vector<std::string>& keys) {
  for (const GgufEntry& entry : a.entries()) {
    const GgufValue* other = b.find(entry.key);
    if (other == nullptr || !same_value(entry.value, *other)) keys.emplace_back(entry.key);
  }
  for (const GgufEntry& entry : b.entries()) {
    if (a.find(entry.key) == nullptr) keys.emplace_back(entry.key);
  }
  std::sort(keys.begin(), keys.end());
}

Result<FileComparison> compare(const GgufFile& a, const GgufFile& b, const CompareOptions& options) {
  FileComparison comparison;
  const int n_threads = options.n_threads > 0 ? options.n_threads : default_thread_count();
  Result<std::unique_ptr<Parallel>> parallel = Parallel::create(n_threads);
  if (!parallel) return parallel.error();
  uint64_t total = 0, done = 0;
  for (const GgufTensor& tensor : a.tensors()) total += tensor.size_bytes;
  for (const GgufTensor& tensor : a.tensors()) {
    const GgufTensor* other = b.tensor(tensor.name);
    done += tensor.size_bytes;
    if (other == nullptr) {
      comparison.only_a.emplace_back(tensor.name);
    } else if (other->dims != tensor.dims) {
      comparison.other_shape.emplace_back(tensor.name);
    } else {
      Result<TensorDifference> difference = compare_tensor(tensor, *other, **parallel);
      if (!difference) return difference.error();
      comparison.tensors.push_back(*std::move(difference));
    }
    const bool cancelled = options.cancel != nullptr && options.cancel->load(std::memory_order_relaxed);
    if (cancelled || (options.on_progress && !options.on_progress(done, total))) {
      return Error{ErrorCode::kCancelled, "cancelled while comparing"};
    }
  }
  for (const GgufTensor& tensor : b.tensors()) {
    if (a.tensor(tensor.name) == nullptr) comparison.only_b.emplace_back(tensor.name);
  }
  compare_metadata(a, b, comparison.keys);
  return comparison;
}

}  // namespace

Result<FileComparison> compare_files(const GgufFile& a, const GgufFile& b, const CompareOptions& options) {
  return guard([&] { return compare(a, b, options); });
}

}  // namespace hearth
