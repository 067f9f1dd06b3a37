// Bounds on what a GGUF file may claim. They are far above any published model; they keep the cost of a hostile
// file in proportion to its size. Every count is also bounded by the bytes that are really present.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::gguf_limits {

/// The specification's bound on the length of a key.
inline constexpr uint64_t kMaxKeyBytes = 65535;
/// The specification says 64; files of other tools go beyond.
inline constexpr uint64_t kMaxTensorNameBytes = 255;
inline constexpr uint64_t kMaxEntries = uint64_t{1} << 20;
/// Of all shards together.
inline constexpr uint64_t kMaxTensors = uint64_t{1} << 20;
inline constexpr uint64_t kMaxShards = 65535;
/// Arrays in arrays: an array of numbers has depth 1.
inline constexpr int kMaxArrayDepth = 8;

/// general.alignment is a multiple of 8 by the specification, and here a power of two up to this.
inline constexpr uint64_t kDefaultAlignment = 32;
inline constexpr uint64_t kMinAlignment = 8;
inline constexpr uint64_t kMaxAlignment = uint64_t{1} << 24;

/// Bytes that the smallest entry takes: key length, one character, type, a value of one byte.
inline constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;
/// Bytes that the smallest tensor info takes: name length, one character, n_dims, one dim, type, offset.
inline constexpr uint64_t kMinTensorInfoBytes = 8 + 1 + 4 + 8 + 4 + 8;

}  // namespace hearth::gguf_limits
