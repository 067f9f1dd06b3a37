// Text on a terminal: UTF-8 to characters and back, how many cells they take, and foreign text made harmless.
#pragma once

#include <string>
#include <string_view>

namespace hearth_tool {

/// Characters of `text`; bytes that are not UTF-8 become U+FFFD.
std::u32string from_utf8(std::string_view text);
std::string to_utf8(std::u32string_view text);

/// Cells that a character takes: 0 (marks that combine, joiners), 1 or 2.
int cells_of(char32_t c);
int cells_of(std::u32string_view text);

/// `text` with every character that could steer a terminal written as \x1b or \u202e; line ends and tabs stay when
/// `keep_lines`, otherwise they become blanks. Longer than `max_bytes`: cut, with "..." at the end.
std::string printable(std::string_view text, bool keep_lines = false, size_t max_bytes = std::string_view::npos);

}  // namespace hearth_tool
