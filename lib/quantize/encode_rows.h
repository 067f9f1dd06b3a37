// One tensor from the source to blocks of another type, a few megabytes at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/importance_matrix.h"
#include "hearth/result.h"
#include "kernels/kernel_table.h"
#include "lib/base/parallel.h"
#include "lib/gguf/kernel_index.h"

namespace hearth {

/// Where a tensor's bytes come from: fills `to` with what begins `offset` bytes into its data.
using ReadBytes = std::function<Status(uint64_t offset, std::span<std::byte> to)>;

/// Squared differences between a tensor and what was encoded of it, and the squares themselves, each times the
/// importance of its column.
struct ErrorSums {
  double error = 0, signal = 0;
  double relative() const { return signal > 0 ? error / signal : 0; }
};

/// Encodes tensors with a pool of threads. What is made does not depend on their number.
class RowEncoder {
 public:
  /// Errors of Parallel::create.
  static Result<RowEncoder> create(int n_threads, const ThreadPool* pool);

  /// Calls `write` with the blocks of `target` for the whole tensor, front to back. `importance` may be nullptr. Errors
  /// name the tensor: those of `read` and `write`; kFormat when a value is not finite.
  Status encode(const GgufTensor& tensor, TensorType target, const ImportanceMatrix* importance, const ReadBytes& read,
                const std::function<Status(std::span<const std::byte>)>& write);
  /// The error that encoding would make, from about `n_sampled` elements spread over the tensor (0: all).
  Result<ErrorSums> measure(const GgufTensor& tensor, TensorType target, const ImportanceMatrix* importance,
                            const ReadBytes& read, int64_t n_sampled);

 private:
  /// A stretch of one row.
  struct Piece {
    int64_t row, column, n;
  };
  struct Worker {
    std::vector<std::byte> raw, blocks;
    std::vector<float> values, decoded;
  };
  struct Job;

  static Job job_of(const GgufTensor& tensor, TensorType target, const ImportanceMatrix* importance,
                    const ReadBytes& read);
  explicit RowEncoder(std::unique_ptr<Parallel> parallel) : parallel_(std::move(parallel)) {}
  Status encode_piece(const Job& job, const Piece& piece, Worker& worker, std::byte* to, ErrorSums* sums) const;
  Status run_pieces(const Job& job, std::span<const Piece> pieces, std::byte* to, ErrorSums* sums);

  std::unique_ptr<Parallel> parallel_;
  std::vector<Worker> workers_;
  std::vector<std::byte> slab_;
};

}  // namespace hearth
