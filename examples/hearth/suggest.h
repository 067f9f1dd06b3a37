// "Did you mean ...?" for words that are nearly right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth_tool {

/// The known word that `word` begins, or that differs from it by the fewest letters; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);
/// "; did you mean NEAREST?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace hearth_tool
