// Model: the weights of a GGUF file, bound, checked and ready to be shared by threads and sessions.
//
//   auto model = hearth::Model::open("model.gguf");
//   if (!model) return fail(model.error());
//   std::printf("%s, %lld parameters\n", model->info().name.c_str(), (long long)model->info().n_parameters);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "hearth/tokenizer.h"

namespace hearth {

struct SessionOptions;

/// Called between steps of a load; return false to cancel (the load ends with kCancelled).
using LoadProgress = std::function<bool(uint64_t done_bytes, uint64_t total_bytes)>;

struct ModelOptions {
  /// false: read the weights into memory; right for files that may be cut short while the model lives: under a mapping
  /// reading what is gone ends the process (SIGBUS), in open() or any later call.
  bool use_mmap = true;
  bool prefetch = false;  ///< touch every page of the mapping now (with progress) instead of at first use
  bool check_tensors =
      false;  ///< compare all weights with the checksums of the file (with progress); kNotFound: it has none
  LoadProgress progress{};  ///< may be empty
};

/// How a pooled embedding is made from the final hidden states.
enum class Pooling : uint8_t { kNone, kMean, kCls, kLast, kRank };

/// What a model is, in the usual terms.
struct ModelInfo {
  std::string architecture;  ///< "llama"
  std::string name;          ///< general.name, may be empty
  std::string quantization;  ///< "Q4_K_M": from general.file_type, or the commonest matrix type
  int64_t n_parameters = 0;
  int32_t n_layers = 0;
  int32_t d_model = 0;
  int32_t d_ff = 0;        ///< of the first layer
  int32_t n_heads = 0;     ///< of the first layer
  int32_t n_kv_heads = 0;  ///< of the first layer
  int32_t head_dim = 0;    ///< of a key
  int32_t n_vocab = 0;
  int32_t n_ctx_train = 0;  ///< context that the model was trained for
  int32_t n_experts = 0;    ///< 0: dense
  int32_t n_experts_used = 0;
  bool causal = true;      ///< false: tokens see those after them, so that text cannot be generated one by one
  bool has_logits = true;  ///< false: an encoder (embeddings only)
  Pooling pooling = Pooling::kNone;
  bool has_mtp = false;  ///< the file has a layer that predicts further tokens (SessionOptions::mtp)
};

/// Bounds of the bytes that a run takes, known before load: what is resident stays below total().
struct MemoryPlan {
  uint64_t weights_bytes = 0;  ///< of the file that stay resident (mapped, shared between processes)
  uint64_t kv_cache_bytes = 0;
  uint64_t scratch_bytes = 0;  ///< activations, panels and logits of a session
  uint64_t tables_bytes = 0;   ///< vocabulary, rope factors and other tables built at load
  uint64_t adapter_bytes = 0;  ///< files of adapters, mapped, and the work memory for them
  uint64_t process_bytes = 0;  ///< bound on what a small program takes besides: code, stacks, the allocator's slack
  uint64_t total() const {
    return weights_bytes + kv_cache_bytes + scratch_bytes + tables_bytes + adapter_bytes + process_bytes;
  }
};

/// A loaded model. Immutable; copying shares it; every member may be called from any thread.
class Model {
 public:
  /// Maps a file, finds its architecture, binds and checks every tensor. Errors name the key or tensor:
  /// kUnsupported for an architecture or type that is not handled, kFormat for missing, misshapen or left
  /// over tensors and for hyper-parameters out of range, kCancelled, and those of GgufFile::open.
  static Result<Model> open(const std::string& path, const ModelOptions& options = {});
  /// The same from a file in memory, which must outlive the model and its copies.
  static Result<Model> from_memory(std::span<const std::byte> bytes, const ModelOptions& options = {});

  const ModelInfo& info() const;
  const GgufFile& file() const;
  const Tokenizer& tokenizer() const;

  /// What a session with these options will take. kInvalidArgument as Session::create.
  Result<MemoryPlan> plan(const SessionOptions& options) const;
  /// The same from the file's metadata alone, before any weight is touched.
  static Result<MemoryPlan> plan(const std::string& path, const SessionOptions& options);

  /// Names of the architectures that open() accepts. Empty when memory is out.
  static std::vector<std::string> architectures();

  struct Impl;

 private:
  friend struct ModelBuilder;
  friend struct ModelInternals;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace hearth
