// Models by name: what a command takes as its model is a file, or a name in the store (examples/store).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/result.h"
#include "hearth/sampler.h"

namespace hearth_store {
struct Entry;
}

namespace hearth_tool {

/// A model as a command was given it.
struct NamedModel {
  std::string path;                                    ///< of the file
  std::shared_ptr<const hearth_store::Entry> entry{};  ///< when it was a name

  /// What it is shown as: the name, or the path.
  std::string shown() const;
};

/// An existing file, or what the store says of the name. Weights of other programs' stores are compared with their
/// digests the first time, with progress on a terminal. kNotFound says what is alike.
hearth::Result<NamedModel> find_model(const std::string& text);
/// The path alone.
hearth::Result<std::string> model_path(const std::string& text);

/// The parameters of an entry that a command takes where no flag says something else.
struct NamedDefaults {
  std::optional<int32_t> n_ctx{}, max_tokens{};
  std::optional<int64_t> seed{};
  std::vector<std::string> stop_texts{};

  static NamedDefaults of(const NamedModel& named);
};
/// Puts temperature, top_k and the like into `sampler`; values that it cannot have are left out.
void apply_parameters(const NamedModel& named, hearth::SamplerOptions& sampler);

}  // namespace hearth_tool
