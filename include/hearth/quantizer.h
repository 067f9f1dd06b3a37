// Quantizer: makes a smaller file of a model. It reads GGUF files of floats (or, if asked, of blocks), gives each
// tensor a type by the rules of a mix, and encodes.
//
//   hearth::QuantizeOptions options{.type = "Q4_K_M"};
//   auto quantizer = hearth::Quantizer::open("model-f16.gguf", options);
//   if (!quantizer) return fail(quantizer.error());
//   for (const hearth::TensorPlan& t : quantizer->plan()) show(t.name, t.source, t.target);   // what would happen
//   auto report = quantizer->run("model-q4_k_m.gguf");
//
// Names of mixes are those of llama.cpp's llama-quantize, and a tensor's type is what it would choose: Q4_K_M, Q5_K_S,
// IQ4_XS ... (mix_names() lists them), and COPY, which keeps every type (to split, to merge). The same input gives the
// same file for any number of threads and any instruction set.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/importance_matrix.h"
#include "hearth/result.h"
#include "hearth/threads.h"

namespace hearth {

/// Where a run has got to.
struct QuantizeProgress {
  std::string_view tensor;  ///< being written
  size_t index = 0;         ///< of it, in the plan
  size_t n_tensors = 0;
  uint64_t done_bytes = 0;  ///< of the source
  uint64_t total_bytes = 0;
};

/// The type of every tensor in whose name the pattern is found.
struct TypeOverride {
  std::string pattern;  ///< a regular expression (ECMAScript without look-around and back-references)
  TensorType type = TensorType::kF16;
};

struct QuantizeOptions {
  std::string type{};                          ///< name of the mix, in any case
  std::vector<TypeOverride> overrides{};       ///< the first that fits counts; not for mixes of floats, nor with `pure`
  std::optional<TensorType> output_type{};     ///< of output.weight, or of the embedding that serves as such
  std::optional<TensorType> embedding_type{};  ///< of token_embd.weight
  bool keep_output = false;                    ///< output.weight keeps its type
  bool pure = false;                           ///< every matrix gets the mix's base type
  bool requantize = false;                     ///< sources that are quantized already may be, at a loss
  /// Importance of columns; must outlive the Quantizer. nullptr: all the same, and mixes of less than three bits are
  /// refused. Encoders take it as if each matrix had met 256 tokens more, to which all columns matter alike.
  const ImportanceMatrix* importance = nullptr;
  std::string importance_file{};  ///< its name, recorded in the output
  /// Largest size of the output in bytes; 0: what the mix gives. Types are then chosen tensor by tensor so that the
  /// measured error is least for the size; `type` may be empty.
  uint64_t size_target = 0;
  uint64_t split_bytes = 0;  ///< above 0: files of about this many bytes of tensors; the output's name becomes a prefix
  int n_threads = 0;         ///< 0: default_thread_count()
  const ThreadPool* pool = nullptr;
  /// Called now and then by the thread that called run() (or open(), while errors are measured); false cancels.
  std::function<bool(const QuantizeProgress&)> progress{};
};

/// What happens to a tensor.
struct TensorPlan {
  std::string name;
  std::array<int64_t, 4> dims{1, 1, 1, 1};
  uint32_t n_dims = 1;
  TensorType source = TensorType::kF32;
  TensorType target = TensorType::kF32;
  uint64_t source_bytes = 0;
  uint64_t target_bytes = 0;
  bool is_fallback = false;  ///< rows are not whole blocks of the type that the mix has for it
};

/// What a plan costs in accuracy. The relative error (squared) of a tensor is sum of w (x - y)^2 / sum of w x^2, w
/// being the importance of columns.
struct QuantizeError {
  double mean_square = 0;      ///< over the tensors that change their type
  double largest_square = 0;   ///< of the worst of them
  std::string largest_tensor;  ///< its name
};

struct QuantizeReport {
  std::vector<std::string> paths;  ///< files written, in order
  uint64_t file_bytes = 0;         ///< of all of them
  double seconds = 0;
};

/// Names that QuantizeOptions::type takes, those of more bits first.
std::span<const char* const> mix_names();
/// Tensor type by its name in any case ("q4_K"); kNotFound.
Result<TensorType> parse_tensor_type(std::string_view name);

/// Move-only. One thread at a time.
class Quantizer {
 public:
  /// Opens the source (the first file of a split set), and chooses types. Memory: the metadata. Errors name the file,
  /// option or tensor: kInvalidArgument (unknown mix, pattern), kUnsupported (no type for rows of that length), and
  /// those of GgufFile::open.
  static Result<Quantizer> open(const std::string& path, const QuantizeOptions& options);
  Quantizer(Quantizer&&) noexcept;
  Quantizer& operator=(Quantizer&&) noexcept;
  ~Quantizer();

  /// Tensors in the order of the output: by layer, then by name.
  std::span<const TensorPlan> plan() const;
  /// Bytes of all tensors of the output, without metadata and padding.
  uint64_t target_bytes() const;
  /// Doubtful but possible: tensors without importance, fallbacks. One line each.
  std::span<const std::string> warnings() const;

  /// What run() would refuse at once: kUnsupported when a tensor would get a type that needs an importance matrix, or
  /// is quantized already. The plan shows types all the same.
  Status check() const;

  /// Expected error, measured on some rows of every tensor.
  Result<QuantizeError> measure();

  /// Writes the output; it appears under its name(s) only when it is complete. Memory: a few megabytes a thread and a
  /// row. kCancelled, kIo (also: the source changed), kFormat (a value that is not finite), kOutOfMemory.
  Result<QuantizeReport> run(const std::string& path);

  struct Impl;

 private:
  explicit Quantizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
