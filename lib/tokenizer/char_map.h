// CharMap: SentencePiece's precompiled normalization rules (precompiled_charsmap): longest prefix to replacement.
//
// Layout: uint32 n; n bytes of a double-array trie (uint32 units, the format of Darts-clone); then the replacement
// strings, each ended by a zero byte. A unit holds: bits 0-7 the label, bit 8 whether a value hangs below, bit 9 the
// scale of the offset, bits 10-30 the offset; a value unit holds the position of its replacement in bits 0-30, bit 31
// set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hearth/result.h"

namespace hearth {

class CharMap {
 public:
  CharMap() = default;
  /// `bytes` must outlive the map.
  static Result<CharMap> create(std::span<const std::byte> bytes);

  struct Match {
    size_t n_bytes = 0;  ///< of the text; 0: no rule fits
    std::string_view replacement{};
  };
  /// The rule for the longest prefix of `text`.
  Match longest(std::string_view text) const;

 private:
  uint32_t unit(size_t index) const;

  std::span<const std::byte> units_;
  std::string_view replacements_;
};

}  // namespace hearth
