// Names of split files: `PREFIX-00001-of-00003.gguf` (GGUF specification, naming convention).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth {

struct ShardName {
  std::string_view prefix;  ///< with folders, without the dash
  uint32_t number = 0;      ///< from 1
  uint32_t count = 0;
};

/// Nothing when the name does not have the form, or its number is not in 1..count.
std::optional<ShardName> parse_shard_name(std::string_view path);

/// The name of shard `number` (from 1) of `count`.
std::string make_shard_name(std::string_view prefix, uint32_t number, uint32_t count);

}  // namespace hearth
