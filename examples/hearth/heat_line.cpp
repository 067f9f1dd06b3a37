// Eighths of the largest share: as a ground color, or as a bar.
#include "heat_line.h"

#include <algorithm>
#include <cmath>

#include "text_width.h"

namespace hearth_tool {
namespace {

constexpr int kLevels = 8;
/// Of the 256 colors of terminals, from none to the warmest.
constexpr const char* kGrounds[kLevels + 1] = {"", "52", "88", "88", "124", "124", "160", "160", "196"};
constexpr const char* kBars[kLevels + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

/// A line of text as it grows, and the bars under it.
struct HeatRow {
  std::string text, bars;
  int cells = 0;

  void add(const std::string& characters, int width, int level, bool in_colors) {
    const bool has_ground = in_colors && level > 0;
    if (has_ground) text += "\033[97;48;5;" + std::string(kGrounds[level]) + "m";
    text += characters;
    if (has_ground) text += "\033[0m";
    for (int i = 0; i < width; ++i) bars += kBars[level];
    cells += width;
  }
};

void end_row(std::string& out, HeatRow& row, bool in_colors, const std::string& indent) {
  if (row.cells == 0) return;
  out += indent + row.text + "\n";
  while (!row.bars.empty() && row.bars.back() == ' ') row.bars.pop_back();
  if (!in_colors) out += row.bars.empty() ? "\n" : indent + row.bars + "\n";
  row = {};
}

}  // namespace

std::string heat_lines(const std::vector<HeatPiece>& pieces, int columns, bool in_colors, const std::string& indent) {
  float largest = 0;
  for (const HeatPiece& piece : pieces) largest = std::max(largest, piece.share);
  const int limit = std::max(columns - static_cast<int>(indent.size()) - 1, 16);
  std::string out;
  HeatRow row;
  for (const HeatPiece& piece : pieces) {
    const int level = largest > 0 ? static_cast<int>(std::lround(kLevels * piece.share / largest)) : 0;
    const std::u32string characters = from_utf8(piece.text);
    if (row.cells + cells_of(characters) > limit) end_row(out, row, in_colors, indent);
    // A piece that is longer than a line is cut; marks stay with their letters.
    std::u32string part;
    int width = 0;
    for (const char32_t c : characters) {
      if (row.cells + width + cells_of(c) > limit) {
        row.add(to_utf8(part), width, level, in_colors);
        end_row(out, row, in_colors, indent);
        part.clear();
        width = 0;
      }
      part += c;
      width += cells_of(c);
    }
    row.add(to_utf8(part), width, level, in_colors);
  }
  end_row(out, row, in_colors, indent);
  return out;
}

}  // namespace hearth_tool
