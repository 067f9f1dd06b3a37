// Models from files that were uploaded: each a blob of the store, and what it is called.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "modelfile.h"

namespace hearth_store {

struct NamedBlob {
  std::string name;    ///< "model.safetensors": of a file, without folders
  std::string digest;  ///< 64 digits
};

/// Told what is being done ("quantizing F16 model to Q4_K_M"), and how far it is where that is known; false stops.
using StepProgress = std::function<bool(const std::string& step, uint64_t done, uint64_t total)>;

/// A name that is none, a blob that is not here, an unknown mix: what can be said before the work. kInvalidArgument,
/// kNotFound.
hearth::Status check_blobs(const Store& store, const std::vector<NamedBlob>& files, const std::string& quantize = "");

/// The layers of a model: a GGUF file, the files of a split one, or a folder of safetensors with config.json and
/// tokenizer, which is converted. `quantize`: a mix that its matrices become; empty: none. kFormat, kUnsupported: they
/// are no such model; kCancelled.
hearth::Result<Manifest> model_of_blobs(const Store& store, const std::vector<NamedBlob>& files,
                                        const std::string& quantize = "", const StepProgress& progress = {});

/// As create_model(), with an adapter of safetensors besides: a folder of PEFT, file by file.
hearth::Result<Entry> create_model_with(const Store& store, const ModelName& name, Modelfile definition,
                                        const Entry& base, const std::vector<NamedBlob>& adapter,
                                        const StepProgress& progress = {});

/// The layers of a model of the store, its weights in another mix.
hearth::Result<Manifest> quantized_model(const Store& store, const Entry& entry, const std::string& mix,
                                         const StepProgress& progress = {});

}  // namespace hearth_store
