// The formats of JSON Schema as regular expressions.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/grammar/dfa.h"

namespace hearth::grammar {

enum class FormatKind : uint8_t { kPattern, kRefused, kUnknown };

struct Format {
  FormatKind kind = FormatKind::kUnknown;  ///< kUnknown: no format of the specification, says nothing
  std::string_view pattern{};              ///< of whole texts
};

Format find_format(std::string_view name);

/// The automaton of a format's pattern; kept for the next schema. Safe from any thread.
const Dfa& format_dfa(std::string_view pattern);

}  // namespace hearth::grammar
