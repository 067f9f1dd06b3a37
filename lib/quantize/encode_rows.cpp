// Rows are cut into pieces of whole blocks; a task takes some pieces, and what they become is written in order.
#include "lib/quantize/encode_rows.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "kernels/encoders.h"
#include "lib/base/concat.h"
#include "lib/base/quote.h"

namespace hearth {
namespace {

constexpr int64_t kEncodedPiece = 16384;            ///< a multiple of every block size
constexpr int64_t kEncodedSlab = int64_t{1} << 20;  ///< a thread: what is encoded before it is written
constexpr int64_t kEncodedTask = int64_t{1} << 16;
constexpr double kEvenTokens = 256;
constexpr double kTokensOfChunk = 512;  ///< where counts are of chunks whose size is unknown

bool all_finite(const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return false;
  }
  return true;
}

/// Importance of columns [n_matrices, n_columns] as encoders take it: as if each matrix had met kEvenTokens more tokens
/// that weigh all columns alike, so that what few tokens, or those of one kind of text, say by chance counts less.
/// Ends before the first matrix that has no importance.
std::vector<float> smooth_importance(const GgufTensor& tensor, const ImportanceMatrix* importance) {
  std::vector<float> smooth;
  const ImportanceMatrix::Entry* entry = importance != nullptr ? importance->find(tensor.name) : nullptr;
  if (entry == nullptr) return smooth;
  const auto n = static_cast<size_t>(tensor.dims[0]);
  const size_t n_matrices = static_cast<size_t>(tensor.n_elements) / n / static_cast<size_t>(tensor.dims[1]);
  for (size_t matrix = 0; matrix < n_matrices; ++matrix) {
    const std::span<const float> means = importance->weights(tensor.name, matrix, n);
    if (means.empty()) break;
    const double mean = std::accumulate(means.begin(), means.end(), 0.0) / static_cast<double>(n);
    const double count = entry->counts[matrix * entry->counts.size() / n_matrices];
    const double n_tokens = count * (importance->chunk_size == 0 ? kTokensOfChunk : 1.0);
    const double share = kEvenTokens / (kEvenTokens + n_tokens);
    for (const float own : means) smooth.push_back(static_cast<float>((1.0 - share) * double{own} + share * mean));
  }
  return smooth;
}

}  // namespace

/// What the pieces of a tensor share.
struct RowEncoder::Job {
  const GgufTensor& tensor;
  const kernels::TypeKernels& source;
  const kernels::TypeKernels& target;
  kernels::Encode encode;
  std::vector<float> importance;  ///< smoothed
  const ReadBytes& read;

  int64_t columns() const { return tensor.dims[0]; }
  int64_t bytes_of(int64_t n) const { return n / target.block_size * target.block_bytes; }
  /// Weights from a column of a row on; nullptr when there are none.
  const float* weights(int64_t row, int64_t column) const {
    const int64_t first = row / tensor.dims[1] * columns();
    return static_cast<size_t>(first) < importance.size() ? importance.data() + first + column : nullptr;
  }
};

RowEncoder::Job RowEncoder::job_of(const GgufTensor& tensor, TensorType target, const ImportanceMatrix* importance,
                                   const ReadBytes& read) {
  const kernels::KernelTable& table = kernels::kernels();
  const int to = kernel_index(target);
  return {tensor,
          table.types[kernel_index(tensor.type)],
          table.types[to],
          kernels::encoders().encode[to],
          smooth_importance(tensor, importance),
          read};
}

Result<RowEncoder> RowEncoder::create(int n_threads, const ThreadPool* pool) {
  Result<std::unique_ptr<Parallel>> parallel = Parallel::create(n_threads, pool);
  if (!parallel) return parallel.error();
  RowEncoder encoder(*std::move(parallel));
  encoder.workers_.resize(static_cast<size_t>(encoder.parallel_->n_threads()));
  return encoder;
}

Status RowEncoder::encode_piece(const Job& job, const Piece& piece, Worker& worker, std::byte* to,
                                ErrorSums* sums) const {
  const int64_t size = job.source.block_size, bytes = job.source.block_bytes;
  const int64_t first = piece.row * job.columns() + piece.column;
  worker.raw.resize(static_cast<size_t>((piece.n + size - 1) / size * bytes));
  worker.values.resize(static_cast<size_t>(piece.n));
  if (Status s = job.read(static_cast<uint64_t>(first / size * bytes), worker.raw); !s) return s;
  job.source.dequantize(worker.values.data(), worker.raw.data(), piece.n);
  if (!all_finite(worker.values.data(), piece.n)) {
    return Error{ErrorCode::kFormat,
                 concat("tensor ", quoted(job.tensor.name), ": a value in row ", piece.row, " is not finite")};
  }
  const float* weights = job.weights(piece.row, piece.column);
  job.encode(to, worker.values.data(), weights, piece.n);
  if (sums == nullptr) return {};
  worker.decoded.resize(static_cast<size_t>(piece.n));
  job.target.dequantize(worker.decoded.data(), to, piece.n);
  for (int64_t i = 0; i < piece.n; ++i) {
    const double x = worker.values[static_cast<size_t>(i)], weight = weights != nullptr ? weights[i] : 1.0f;
    const double difference = x - worker.decoded[static_cast<size_t>(i)];
    sums->error += weight * difference * difference;
    sums->signal += weight * x * x;
  }
  return {};
}

/// Encodes pieces one after the other in `to`, several at a time; sums up what they err where `sums` is not nullptr.
Status RowEncoder::run_pieces(const Job& job, std::span<const Piece> pieces, std::byte* to, ErrorSums* sums) {
  const size_t in_task = static_cast<size_t>(std::max<int64_t>(1, kEncodedTask / pieces.front().n));
  const size_t n_tasks = (pieces.size() + in_task - 1) / in_task;
  std::vector<int64_t> begin(pieces.size());
  int64_t at = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    begin[i] = at;
    at += job.bytes_of(pieces[i].n);
  }
  std::vector<Status> status(n_tasks);
  std::vector<ErrorSums> task_sums(n_tasks);
  parallel_->run(static_cast<int>(n_tasks), [&](int task, int worker) {
    const size_t first = static_cast<size_t>(task) * in_task;
    for (size_t i = first; i < std::min(first + in_task, pieces.size()); ++i) {
      ErrorSums* own = sums != nullptr ? &task_sums[static_cast<size_t>(task)] : nullptr;
      Status s = encode_piece(job, pieces[i], workers_[static_cast<size_t>(worker)], to + begin[i], own);
      if (s) continue;
      status[static_cast<size_t>(task)] = std::move(s);
      return;
    }
  });
  for (Status& s : status) {
    if (!s) return std::move(s);
  }
  for (const ErrorSums& one : task_sums) {
    if (sums == nullptr) break;
    sums->error += one.error;
    sums->signal += one.signal;
  }
  return {};
}

Status RowEncoder::encode(const GgufTensor& tensor, TensorType target, const ImportanceMatrix* importance,
                          const ReadBytes& read, const std::function<Status(std::span<const std::byte>)>& write) {
  const Job job = job_of(tensor, target, importance, read);
  const int64_t n_rows = tensor.n_elements / job.columns();
  const int64_t slab_elements = kEncodedSlab * parallel_->n_threads();
  std::vector<Piece> pieces;
  int64_t elements = 0, bytes = 0;
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t column = 0; column < job.columns(); column += kEncodedPiece) {
      const int64_t n = std::min(kEncodedPiece, job.columns() - column);
      pieces.push_back({row, column, n});
      elements += n;
      bytes += job.bytes_of(n);
      const bool is_last = row + 1 == n_rows && column + n == job.columns();
      if (elements < slab_elements && !is_last) continue;
      slab_.resize(static_cast<size_t>(bytes));
      if (Status s = run_pieces(job, pieces, slab_.data(), nullptr); !s) return s;
      if (Status s = write(slab_); !s) return s;
      pieces.clear();
      elements = bytes = 0;
    }
  }
  return {};
}

Result<ErrorSums> RowEncoder::measure(const GgufTensor& tensor, TensorType target, const ImportanceMatrix* importance,
                                      const ReadBytes& read, int64_t n_sampled) {
  const Job job = job_of(tensor, target, importance, read);
  const int64_t n_rows = tensor.n_elements / job.columns();
  const int64_t wanted = n_sampled > 0 ? std::max<int64_t>(1, n_sampled / job.columns()) : n_rows;
  const int64_t step = std::max<int64_t>(1, n_rows / wanted);
  std::vector<Piece> pieces;
  int64_t bytes = 0;
  for (int64_t row = step / 2; row < n_rows; row += step) {
    for (int64_t column = 0; column < job.columns(); column += kEncodedPiece) {
      pieces.push_back({row, column, std::min(kEncodedPiece, job.columns() - column)});
      bytes += job.bytes_of(pieces.back().n);
    }
  }
  slab_.resize(static_cast<size_t>(bytes));
  ErrorSums sums;
  if (Status s = run_pieces(job, pieces, slab_.data(), &sums); !s) return s.error();
  return sums;
}

}  // namespace hearth
