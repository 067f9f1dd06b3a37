// The sampler's options as flags, as settings of a conversation, and as a model's file recommends them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "hearth/sampler.h"
#include "model_names.h"
#include "options.h"

namespace hearth_tool {

/// A number among the sampler's options.
struct SamplingField {
  const char* flag;  ///< "--top-k"; several, separated by commas
  const char* name;  ///< "top_k": in conversations
  std::variant<float hearth::SamplerOptions::*, int32_t hearth::SamplerOptions::*> member;
  const char* help;
};
/// All of them, in the order in which -h lists them.
std::span<const SamplingField> sampling_fields();
/// The one of that name, or of that flag without its dashes ("temp", "top-k"); nullptr.
const SamplingField* find_sampling_field(std::string name);

struct SamplingSettings {
  void declare(Options& options);
  /// What is wrong about the flags, before a model is opened.
  hearth::Status check() const;
  /// The flags; where none is given, what the store says of the model, then what the file recommends; a seed that
  /// nobody knows unless it is given.
  hearth::SamplerOptions resolve(const hearth::GgufFile& file, const NamedModel& named) const;

 private:
  hearth::Result<hearth::SamplerOptions> flags() const;

  hearth::SamplerOptions given_;
  int64_t seed_ = -1;
  std::vector<std::string> logit_bias_;
  std::optional<Options> options_;
};

/// A seed that nobody knows, short enough to be typed.
uint64_t random_seed();

}  // namespace hearth_tool
