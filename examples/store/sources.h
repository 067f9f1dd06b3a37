// The kinds of folders that models are found in. Each reader adds what it finds, and what is wrong with what it finds.
#pragma once

#include <functional>

#include "entry.h"
#include "files.h"

namespace hearth_store {

/// The file of a digest that a store names but does not hold itself; empty: nobody has it.
using FindBlob = std::function<fs::path(const std::string& digest)>;

/// Manifests and blobs, as Ollama and hearth write them.
void read_manifests(const fs::path& root, Origin origin, const FindBlob& elsewhere, Listing& out);
/// One of them. The manifest's own file is given.
hearth::Result<Entry> read_manifest_file(const fs::path& root, Origin origin, const fs::path& file,
                                         const ModelName& name, const FindBlob& elsewhere);
/// owner/repository/file.gguf
void read_lmstudio(const fs::path& root, Listing& out);
/// models--owner--repository/snapshots/REVISION/file.gguf
void read_hub(const fs::path& root, Listing& out);
/// Files that lie in a folder.
void read_folder(const fs::path& folder, Listing& out);
/// A file by itself, whose name is its own.
Entry entry_of_file(const fs::path& path);

/// "Q4_K_M" of "Qwen3-4B-Q4_K_M.gguf"; empty: none is named.
std::string quantization_in_name(std::string_view stem);
/// Whether a file is one of a split model but not the first, or is no model by itself (a projector for pictures).
bool is_part_of_model(std::string_view stem);

}  // namespace hearth_store
