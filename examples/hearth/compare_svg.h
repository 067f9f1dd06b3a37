// The comparison of two files as a picture.
#pragma once

#include <string>

#include "hearth/compare.h"

namespace hearth_tool {

/// A grid of the relative errors, SVG without scripts or fonts of its own: a row for each kind of tensor, a column for
/// each layer.
std::string comparison_svg(const hearth::FileComparison& comparison, const std::string& title);

}  // namespace hearth_tool
