// Numbers from decimal text whatever the locale is, with standard libraries that cannot do so as well.
#pragma once

#include <charconv>
#include <string_view>

namespace hearth {

/// The double nearest to text that begins with a digit or a point ("1", "0.5", ".5", "1e-7"), as std::from_chars reads
/// it: `ptr` is where the number ends, `ec` is result_out_of_range where it is too large or too small and value stays.
std::from_chars_result parse_double(std::string_view text, double& value);

}  // namespace hearth
