// What this processor can run: features by name, and only those whose registers the operating system saves.
#pragma once

#include <string_view>

namespace hearth::kernels {

/// Whether this machine has every feature of a list of names with spaces between them, such as "AVX2 FMA". A name that
/// the table in cpu_features.cpp does not have counts as missing.
bool cpu_has(std::string_view features);

/// Whether the table has every name of such a list.
bool cpu_features_known(std::string_view features);

}  // namespace hearth::kernels
