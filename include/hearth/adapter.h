// Adapter: a small change of a model that is applied while it runs, without touching its weights: LoRA (Hu et al. 2021)
// and control vectors (Zou et al. 2023), from the GGUF files that llama.cpp's converters write.
//
//   auto adapter = hearth::Adapter::load("style.gguf", *model);
//   if (!adapter) return fail(adapter.error());
//   auto session = hearth::Session::create(*model, {.adapters = {{*adapter, 0.8f}}});  // for every sequence, or ...
//   hearth::Status set = session->set_adapters(0, {{*adapter, 1.0f}});                 // ... for one, at any time
//
// LoRA: y = W x becomes y = W x + scale * strength * B (A x) wherever the layer's tensor has A and B in the file, over
// any type of W. An adapter of token_embd.weight changes the look-up of tokens alone: where the output matrix is tied
// to the embedding, it stays the model's. A control vector adds scale * direction to a layer's output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hearth/batch.h"
#include "hearth/model.h"
#include "hearth/result.h"

namespace hearth {

enum class AdapterKind : uint8_t { kLora, kControlVector };

struct AdapterInfo {
  AdapterKind kind = AdapterKind::kLora;
  std::string name;              ///< general.name, may be empty
  int32_t n_changed = 0;         ///< tensors (LoRA) or layers (control vectors) that it changes
  int32_t max_rank = 0;          ///< of LoRA
  float alpha = 0.0f;            ///< adapter.lora.alpha; 0: the file has none, and the strength is 1
  bool rank_stabilized = false;  ///< rsLoRA: strength is alpha / sqrt(rank) instead of alpha / rank
  /// aLoRA: the adapter acts from the last occurrence of these tokens on, and not at all before they come. Empty: it
  /// acts on every token.
  std::vector<Token> invocation_tokens;
  uint64_t file_bytes = 0;
  /// One line about what the file holds that has no effect here; empty when all is well.
  std::string warning;
};

/// Immutable; copying shares it; every member may be called from any thread. Keeps its model and its file open.
class Adapter {
 public:
  /// Maps a file and checks it against the model: kFormat names the key or tensor at fault (an unknown suffix, A
  /// without B, ranks that differ, another shape than the model's), kUnsupported an architecture that differs or a type
  /// that cannot be computed with, kNotFound a tensor that the model does not have; and the errors of GgufFile::open.
  static Result<Adapter> load(const std::string& path, const Model& model);
  /// The same from a file in memory, which must outlive the adapter and its copies.
  static Result<Adapter> from_memory(std::span<const std::byte> bytes, const Model& model);

  const AdapterInfo& info() const;
  /// Hash of everything in the file that changes results; equal files have equal hashes, on every machine.
  uint64_t content_hash() const;

  struct Impl;

 private:
  friend struct AdapterInternals;
  friend struct AdapterLoader;
  explicit Adapter(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// An adapter and how much of it.
struct AdapterScale {
  Adapter adapter;
  float scale = 1.0f;  ///< 0: as if the adapter was not there
};

}  // namespace hearth
