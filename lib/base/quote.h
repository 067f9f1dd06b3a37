// Text of a hostile file in messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth {

/// The name in single quotes on one line: at most 80 characters of it, control and non-ASCII bytes as \xNN.
std::string quote(std::string_view name);

/// The same as a part of concat(), without a string of its own.
struct Quoted {
  std::string_view name;
};
inline Quoted quoted(std::string_view name) {
  return {name};
}

/// Messages have at most so many bytes.
inline constexpr size_t kMaxMessageBytes = 511;
/// Whether a message is short, and UTF-8 without line ends, control characters and those that turn the direction of
/// text.
bool is_one_line(std::string_view message);
/// The message so, with other bytes as \xNN and without what is too long.
std::string one_line(std::string_view message);

}  // namespace hearth
