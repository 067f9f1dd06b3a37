// The words of one action of a Go template.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"

namespace hearth_store {

inline constexpr std::string_view kGoBlanks = " \t\r\n";

struct GoToken {
  enum class Kind { kEnd, kWord, kField, kVariable, kDot, kString, kNumber, kSymbol };
  Kind kind = Kind::kEnd;
  std::string text{};
  bool after_blank = false;  ///< blanks stand before it
};

/// kFormat shows what is not understood.
hearth::Result<std::vector<GoToken>> go_tokens(std::string_view action);

}  // namespace hearth_store
