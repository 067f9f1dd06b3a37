// Operations of Python's str on marked text.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "lib/jinja/text.h"

namespace hearth::jinja {

enum class Case : uint8_t { kUpper, kLower, kTitle, kCapitalize, kSwap };
Text change_case(const Text& text, Case how);

/// A part of a text: byte offset and size.
struct Part {
  size_t begin = 0, size = 0;
};

/// What strip() leaves; `chars` nullptr for white space.
Part strip_part(std::string_view text, const std::string_view* chars, bool left, bool right);
/// split() and rsplit(); `separator` nullptr for white space, max < 0 for no limit. The separator is not empty.
std::vector<Part> split_parts(std::string_view text, const std::string_view* separator, int64_t max, bool from_right);
/// splitlines().
std::vector<Part> line_parts(std::string_view text, bool keep_ends);
/// Number of places at which `what`, not empty, stands without overlap.
size_t count_of(std::string_view text, std::string_view what);
/// replace(); count < 0 for all. False when the result would be larger than `max_bytes`.
bool replace(const Text& text, const Text& what, const Text& with, int64_t count, size_t max_bytes, Text& out);
/// `fill` (one character) `n` times.
std::string repeat_char(std::string_view fill, size_t n);

}  // namespace hearth::jinja
