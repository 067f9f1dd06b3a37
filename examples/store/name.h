// Names of models: [host/][owner/]model[:tag], as registries write them. What is left out is the default.
//
//   auto name = hearth_store::ModelName::parse("qwen3:4b");   // registry.ollama.ai/library/qwen3:4b
#pragma once

#include <string>
#include <string_view>

#include "hearth/result.h"

namespace hearth_store {

inline constexpr const char* kDefaultHost = "registry.ollama.ai";
inline constexpr const char* kDefaultOwner = "library";
inline constexpr const char* kDefaultTag = "latest";
inline constexpr const char* kHubHost = "hf.co";  ///< names of Hugging Face: hf.co/owner/repository:quantization

struct ModelName {
  std::string host = kDefaultHost, owner = kDefaultOwner, model{}, tag = kDefaultTag;

  /// "hf:owner/repository:quantization" and "huggingface.co/..." are names of the hub. kInvalidArgument names what is
  /// wrong: a part with other characters than letters, digits, "._-", an empty or a very long one.
  static hearth::Result<ModelName> parse(std::string_view text);

  std::string text() const;        ///< shortest form, with its tag: "qwen3:4b"
  std::string short_text() const;  ///< without ":latest"
  std::string base() const;        ///< shortest form, without any tag
  std::string path() const;        ///< "host/owner/model/tag"
  /// Upper and lower case are the same.
  bool is_same(const ModelName& other) const;
  bool operator==(const ModelName&) const = default;
};

/// What a file's name or a folder's becomes as a part of a name: other characters become '-', at most 80.
std::string clean_part(std::string_view text);
std::string lower_case(std::string_view text);
/// A text from outside as a message shows it: in quotes, control characters as \x1b, at most 200 bytes.
std::string shown(std::string_view text);

}  // namespace hearth_store
