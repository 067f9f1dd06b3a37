// The store: every model of this machine by its name. hearth's own folder is written; what Ollama, LM Studio and the
// hub's programs have fetched is read where it lies, and never changed.
//
//   auto store = hearth_store::Store::standard();
//   auto entry = store.find("qwen3:4b");      // or "hf:owner/repository:Q4_K_M", or a name of LM Studio's
//   auto model = hearth::Model::open(entry->path);
//
// Everything in a store counts as hostile: names, manifests, sizes, digests and links are checked before they are used.
// Threads: a Store is changed by add() alone; everything else may be called by several threads and processes at once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "entry.h"
#include "files.h"
#include "sha256.h"
#include "system.h"

namespace hearth_store {

class Store {
 public:
  /// `own`: the folder to write to; empty: none.
  explicit Store(std::string own = "") : own_(std::move(own)) {}
  /// HEARTH_MODELS (or ~/.hearth/models), then OLLAMA_MODELS or ~/.ollama/models and the system's, LM Studio's folder,
  /// HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub. Folders that are not there do no harm.
  static Store standard();

  /// A folder to look into at every listing. kFolder: its manifests, if it has some, and the files in it.
  void add(Origin origin, const std::string& folder);
  const std::string& own() const { return own_; }

  /// All models, each once, and what is wrong with those that cannot be used.
  Listing list() const;
  /// kNotFound: nothing has that name; it says which are alike. kFormat: it is damaged, or leads out of its store.
  hearth::Result<Entry> find(std::string_view name) const;
  /// Compares weights with the digest that the store gives them; remembers that it did until the file changes, so that
  /// only the first call takes long. kFormat when they differ, kCancelled. Files without a digest pass.
  hearth::Status check_weights(const Entry& entry, const ByteProgress& progress = {}) const;

  // Changes, in hearth's own folder alone.

  /// Makes `name` stand for the layers of `manifest`, whose blobs must be here or in a store that is read.
  /// `text`: the manifest as it came; empty: it is written anew.
  hearth::Result<Entry> put(const ModelName& name, const Manifest& manifest, std::string_view text = {}) const;
  /// A layer from bytes.
  hearth::Result<Layer> add_bytes(const std::string& kind, std::string_view bytes) const;
  /// How a file becomes a blob: as a copy (without taking space where the file system can share it), or, where that is
  /// possible, as another link to it. Should its owner change it in place, its digest tells.
  enum class Take { kCopy, kLink };
  /// A layer from a file.
  hearth::Result<Layer> add_file(const std::string& kind, const fs::path& path, const ByteProgress& progress = {},
                                 Take take = Take::kCopy) const;
  /// Layers from a GGUF file (and its other parts, if it is split). Its tensors are compared with the checksums that it
  /// may hold.
  hearth::Result<Manifest> take_file(const fs::path& path, const ByteProgress& progress = {},
                                     Take take = Take::kCopy) const;
  /// The same under a name.
  hearth::Result<Entry> import(const fs::path& path, const ModelName& name, const ByteProgress& progress = {}) const;
  /// kUnsupported: there is no folder of its own; kIo: it cannot be made.
  hearth::Status check_writable() const;
  /// Another name for the same model.
  hearth::Result<Entry> copy(std::string_view from, std::string_view to, const ByteProgress& progress = {}) const;
  /// Forgets a name, and the files that no other name needs. kUnsupported: it lies in another program's store.
  hearth::Status remove(std::string_view name) const;

  fs::path blob_path(const std::string& digest) const { return path_of(own_) / "blobs" / ("sha256-" + digest); }
  /// The file of a digest in any store; empty: none has it.
  fs::path find_blob(const std::string& digest) const;
  /// Notes that the bytes of a file were compared with this digest.
  void note_checked(const fs::path& path, const std::string& digest) const;

 private:
  struct Source {
    Origin origin;
    std::string folder;
  };
  void drop_unused(const Manifest& manifest) const;

  std::string own_;
  std::vector<Source> sources_;
};

/// What a GGUF file is called where nobody says: its stem, and its quantization as the tag.
ModelName name_of_file(const fs::path& path);

}  // namespace hearth_store
