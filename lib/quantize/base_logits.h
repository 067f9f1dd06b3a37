// What a base model predicts, for comparing others with it: from rows of logits, in files, and the comparison itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hearth/batch.h"
#include "hearth/result.h"
#include "lib/io/atomic_file.h"
#include "lib/io/file_bytes.h"

namespace hearth {

/// A row of logits as probabilities: ln q_i = logits[i] - ln_sum.
struct LogitsRow {
  explicit LogitsRow(std::span<const float> row);
  double ln_p(size_t i) const { return static_cast<double>(logits[i]) - ln_sum; }

  std::span<const float> logits;
  double ln_sum = 0;
  uint32_t top = 0;  ///< index of the largest; the first of equals
};

/// One position of two models.
struct Comparison {
  double base_nll = 0;
  double kld = 0;
  double dp = 0;  ///< q - p of the next token
  bool same_top = false;
};

/// The compact form of one row. The likeliest entries are kept as they are; the others fall into bins of equal ln p,
/// each kept as the bin's number and the bin's mean probability p'. With all ln p known, sum p' ln p is noted as well,
/// so that sum p' (ln p - ln q) is known without rounding. It differs from the divergence by sum (p - p') (ln p - ln
/// q), which is small but where ln q rises faster or slower than ln p: then it is (1 - slope) sum (p - p') ln p over a
/// bin, and the slope is seen in the means of the bins beside it.
struct PackedRow {
  static constexpr size_t kTop = 512;
  static constexpr size_t kBins = 16;
  static constexpr double kBinWidth = 0.75;  ///< in ln p; the last bin takes all that is below

  struct Head {
    double ln_p_next = 0;
    double cross = 0;  ///< sum p' ln p
    uint32_t top = 0;
    uint32_t n_top = 0;
    struct Bin {
      float p = 0;          ///< p'
      float mean_ln_p = 0;  ///< of its entries
      float n_entries = 0;
      float covariance = 0;  ///< sum (p - p') ln p
    } bins[kBins];
  };
  /// Bytes of a row: head, ids and probabilities of the likeliest, two bins a byte.
  static size_t bytes(size_t n_vocab);
  /// Writes bytes(n_vocab) bytes.
  static void pack(const LogitsRow& row, Token next, std::byte* out);
  /// kFormat when ids are out of range.
  static Result<Comparison> compare(const std::byte* packed, const LogitsRow& row, Token next);
};

/// Writes rows of a run, in order.
class BaseLogitsWriter {
 public:
  static Result<BaseLogitsWriter> create(const std::string& path, size_t n_vocab, int64_t chunk_size,
                                         std::span<const Token> tokens);
  /// `packed`: rows one after the other.
  Status write(std::span<const std::byte> packed) { return file_.write(packed); }
  Status finish() { return file_.commit(); }

 private:
  explicit BaseLogitsWriter(AtomicFile file) : file_(std::move(file)) {}
  AtomicFile file_;
};

/// Rows of such a file, or of llama.cpp's (16-bit ln p of the whole vocabulary). Const members from any thread.
class BaseLogitsReader {
 public:
  /// kFormat for a file of another kind, or one that is not as long as it says.
  static Result<BaseLogitsReader> open(const std::string& path);

  size_t n_vocab() const { return n_vocab_; }
  int64_t chunk_size() const { return chunk_size_; }
  int64_t n_chunks() const { return n_chunks_; }
  std::vector<Token> tokens() const;
  /// Compares row i (of all scored positions) with a row of the same vocabulary.
  Result<Comparison> compare(int64_t i, const LogitsRow& row, Token next) const;

 private:
  explicit BaseLogitsReader(FileBytes bytes) : bytes_(std::move(bytes)) {}
  Status read_header(const std::string& path);

  FileBytes bytes_;
  bool is_peers_ = false;
  size_t n_vocab_ = 0;
  int64_t chunk_size_ = 0;
  int64_t n_chunks_ = 0;
  size_t tokens_at_ = 0;
  size_t rows_at_ = 0;
  size_t row_bytes_ = 0;
};

/// Scored positions of a chunk: from chunk_size / 2 on, but the last.
inline int64_t scored_of(int64_t chunk_size) {
  return chunk_size - chunk_size / 2 - 1;
}

}  // namespace hearth
