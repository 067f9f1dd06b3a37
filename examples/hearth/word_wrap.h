// Text that arrives in pieces, broken at blanks where the terminal's line ends.
#pragma once

#include <string>
#include <string_view>

namespace hearth_tool {

/// What to write to a terminal for each piece of a text. A word is shown as it comes; when it turns out not to fit its
/// line, it is taken back and begins the next one. Control characters are escaped. Wide characters (Chinese, Japanese)
/// may end a line anywhere.
class WordWrap {
 public:
  /// The last column stays free, because terminals differ in what they do once it is filled.
  explicit WordWrap(int columns) : limit_(columns > 1 ? columns - 1 : 1) {}

  std::string push(std::string_view piece);
  /// Bytes of a character whose rest did not come.
  std::string finish();
  /// Whether the next character would stand at the beginning of a line.
  bool at_line_start() const { return column_ == 0; }

 private:
  void put(char32_t c, std::string& out);
  void put_word_letter(char32_t c, int cells, std::string& out);
  void new_line(std::string& out);

  int limit_;
  int column_ = 0;
  std::string pending_;  ///< bytes of an unfinished character
  std::u32string word_;  ///< the word at the end of the line
  int word_cells_ = 0;
};

}  // namespace hearth_tool
