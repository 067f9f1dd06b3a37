// Embedder: texts to vectors whose angles say how alike the texts are.
//
//   auto embedder = hearth::Embedder::create(*model);
//   auto vectors = embedder->embed({"a cat on a mat", "ein Hund im Garten"});
//   float alike = hearth::cosine_similarity((*vectors)[0].values, (*vectors)[1].values);
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/adapter.h"
#include "hearth/batch.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "hearth/threads.h"

namespace hearth {

struct EmbedderOptions {
  /// How token vectors become one; kNone: as the model's file says, or the mean where it says nothing.
  Pooling pooling = Pooling::kNone;
  bool normalize = true;                 ///< divide by the L2 norm (not the scores of a reranker)
  int32_t dimensions = 0;                ///< keep this many leading elements (models trained for it); 0: all
  bool truncate = false;                 ///< cut texts that the model cannot hold; otherwise they are kContextFull
  int32_t batch_tokens = 2048;           ///< most tokens computed together, of several texts; one longer text raises it
  int n_threads = 0;                     ///< 0: default_thread_count()
  bool exact_products = false;           ///< as SessionOptions::exact_products
  std::vector<AdapterScale> adapters{};  ///< of this model, for every text; set_adapters() changes them
  const ThreadPool* pool = nullptr;      ///< a host's own pool, which must outlive the embedder
};

struct Embedding {
  std::vector<float> values;  ///< [dimensions]; with Pooling::kRank the labels' scores (decoders: their softmax)
  int32_t n_tokens = 0;       ///< of the text, special tokens included
};

/// Keeps its model alive. Memory is taken for the texts that come, not for more. Texts are embedded as they are:
/// prefixes that a model was trained with ("search_query: ") are the caller's. Not thread-safe; different embedders of
/// one model may run in different threads.
class Embedder {
 public:
  /// kInvalidArgument names an option out of range; kUnsupported for Pooling::kRank without a ranking head.
  static Result<Embedder> create(const Model& model, const EmbedderOptions& options = {});
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  /// One vector a text, in order. Texts of different lengths share a batch without padding; a result does not depend on
  /// the texts beside it. kContextFull names a text longer than the model's context.
  Result<std::vector<Embedding>> embed(std::span<const std::string> texts);
  Result<std::vector<Embedding>> embed(std::initializer_list<std::string> texts);
  Result<Embedding> embed(std::string_view text);
  /// The same from token ids, special tokens included. kInvalidArgument for an empty list or an id out of range.
  Result<std::vector<Embedding>> embed_tokens(std::span<const std::vector<Token>> texts);

  /// Adapters of the texts from now on, as Session::set_adapters: of the layers after pooling, too.
  Status set_adapters(std::span<const AdapterScale> adapters);
  Status set_adapters(std::initializer_list<AdapterScale> adapters);
  std::span<const AdapterScale> adapters() const;

  /// Length of the vectors.
  int32_t dimensions() const;
  Pooling pooling() const;
  /// Bytes that the texts so far took.
  MemoryPlan plan() const;

  struct Impl;

 private:
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Cosine of the angle between two vectors of equal length; 0 when one is zero or the lengths differ.
float cosine_similarity(std::span<const float> a, std::span<const float> b);

}  // namespace hearth
