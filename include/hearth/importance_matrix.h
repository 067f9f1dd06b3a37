// ImportanceMatrix: how much each column of a weight matrix matters, measured on text; quantizers spend their error
// where it matters least. Reads and writes the files of llama.cpp's llama-imatrix.
//
//   auto importance = hearth::ImportanceMatrix::read("model.imatrix.gguf");
//   if (!importance) return fail(importance.error());
//   std::span<const float> weights = importance->weights("blk.0.ffn_up.weight", 0, 2048);
//
// Of a matrix that is multiplied with inputs x, the weight of a column is the mean of x[column]^2 over the tokens that
// met the matrix: to first order the mean square error of the product is the sum over columns of weight * (error of the
// column)^2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"

namespace hearth {

/// Immutable but for add() and merge(); const members may be called from any thread.
class ImportanceMatrix {
 public:
  /// What was measured for one tensor.
  struct Entry {
    std::string name;           ///< of the tensor ("blk.0.ffn_up.weight")
    std::vector<float> sums;    ///< of squared inputs: [n_matrices, n_columns] in one run, matrices one after the other
    std::vector<float> counts;  ///< tokens summed: one number, or one for each expert (sums.size() is a multiple)
  };

  /// Reads the GGUF form or the older one (.dat), told apart by their first bytes. kNotFound, kIo, kOutOfMemory;
  /// kFormat names the tensor and the offset (sizes that do not fit, values that are negative or not finite).
  static Result<ImportanceMatrix> read(const std::string& path);
  /// The same from a file in memory, which is copied.
  static Result<ImportanceMatrix> from_memory(std::span<const std::byte> bytes);

  /// Writes the GGUF form; the file appears under its name only when it is complete. kInvalidArgument without entries.
  Status write(const std::string& path) const;

  /// Adds an entry, or adds to the sums and counts of that tensor: kInvalidArgument where sizes differ or values cannot
  /// be.
  Status add(const Entry& entry);
  /// Adds everything that another run measured. On an error nothing has changed.
  Status merge(const ImportanceMatrix& other);

  /// Mean squares of the inputs of one matrix of a tensor (`matrix`: of the experts or heads that lie one after the
  /// other; 0 otherwise), each >= 0. `n_columns` is the length of the tensor's rows; 0: as the file says, which is
  /// wrong for experts in the older form and for tensors with a matrix per head. All ones for experts that never ran.
  /// Empty when the tensor has no entry, or sizes do not fit. Valid until add() or merge().
  std::span<const float> weights(std::string_view tensor, size_t matrix = 0, size_t n_columns = 0) const;

  /// nullptr when there is none of that name. Valid until add() or merge().
  const Entry* find(std::string_view tensor) const;
  /// Sorted by name.
  std::span<const Entry> entries() const { return entries_; }

  /// What makes the numbers doubtful: experts that no token or few tokens reached, little text. One line each;
  /// none when memory is out.
  std::vector<std::string> warnings() const;

  std::vector<std::string> datasets;  ///< names of the texts
  int64_t n_chunks = 0;               ///< of text that were summed
  int64_t chunk_size = 0;             ///< tokens a chunk; 0: unknown (the older form), counts are then chunks

 private:
  friend struct ImportanceReader;
  Status check(const Entry& entry) const;
  Status merge_in(const ImportanceMatrix& other);
  std::vector<std::string> list_warnings() const;
  void insert(Entry entry);
  void update_means(size_t i);

  std::vector<Entry> entries_;
  std::vector<std::vector<float>> means_;  ///< sums / counts of each entry, likewise
};

}  // namespace hearth
