// Draws the grid: darker cells have larger errors, on a logarithmic scale.
#include "compare_svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace hearth_tool {
namespace {

constexpr int kCell = 26, kLeft = 210, kTop = 62, kBelow = 40;

/// "blk.12.attn_q.weight" is attn_q.weight of layer 12; what lies outside the layers stands in a column of its own.
std::pair<std::string, int> place_of(const std::string& name) {
  if (!name.starts_with("blk.")) return {name, -1};
  const size_t dot = name.find('.', 4);
  if (dot == std::string::npos || dot > 12) return {name, -1};
  return {name.substr(dot + 1), std::atoi(name.c_str() + 4)};
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<' || c == '>' || c == '&' || c == '"') {
      out += "&#" + std::to_string(static_cast<int>(c)) + ";";
    } else {
      out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
  }
  return out;
}

/// White below 1e-4, dark red at 1 and above.
std::string color_of(double relative_error) {
  const double share = relative_error > 0 ? std::clamp((std::log10(relative_error) + 4) / 4, 0.0, 1.0) : 0;
  char text[16];
  std::snprintf(text, sizeof(text), "#%02x%02x%02x", static_cast<int>(255 - 75 * share),
                static_cast<int>(255 - 225 * share), static_cast<int>(255 - 215 * share));
  return text;
}

std::string text_at(int x, int y, const std::string& text, const char* anchor = "start") {
  return "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" text-anchor=\"" + anchor + "\">" +
         escaped(text) + "</text>\n";
}

std::string cell(int x, int y, const hearth::TensorDifference& t) {
  const auto* info = hearth::tensor_type_info(t.type_b);
  char error[32];
  std::snprintf(error, sizeof(error), "%.4f", t.relative_error());
  return "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" width=\"" + std::to_string(kCell - 2) +
         "\" height=\"" + std::to_string(kCell - 2) + "\" fill=\"" + color_of(t.relative_error()) +
         "\" stroke=\"#999\"><title>" +
         escaped(t.name + ", " + (info != nullptr ? info->name : "?") + ", relative error " + error) +
         "</title></rect>\n";
}

std::string legend(int y) {
  std::string out = text_at(10, y + 12, "relative error:");
  const struct {
    double value;
    const char* label;
  } steps[] = {{1e-4, "0.0001"}, {1e-3, "0.001"}, {1e-2, "0.01"}, {1e-1, "0.1"}, {1, "1"}};
  int x = 120;
  for (const auto& step : steps) {
    out += "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" width=\"16\" height=\"16\" fill=\"" +
           color_of(step.value) + "\" stroke=\"#999\"/>\n" + text_at(x + 21, y + 12, step.label);
    x += 78;
  }
  return out;
}

}  // namespace

std::string comparison_svg(const hearth::FileComparison& comparison, const std::string& title) {
  std::map<std::string, std::map<int, const hearth::TensorDifference*>> rows;
  int n_layers = 0;
  for (const hearth::TensorDifference& t : comparison.tensors) {
    const auto [row, layer] = place_of(t.name);
    rows[row][layer] = &t;
    n_layers = std::max(n_layers, layer + 1);
  }
  const int width = std::max(kLeft + (n_layers + 1) * kCell + 10, 540);
  const int height = kTop + static_cast<int>(rows.size()) * kCell + kBelow;
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(width) + "\" height=\"" +
      std::to_string(height) +
      "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  out += text_at(10, 20, title);
  out += text_at(kLeft + kCell - 2, kTop - 8, "layer 0", "start");
  if (n_layers > 1) out += text_at(kLeft + (n_layers + 1) * kCell, kTop - 8, std::to_string(n_layers - 1), "end");
  int y = kTop;
  for (const auto& [name, by_layer] : rows) {
    out += text_at(kLeft - 10, y + 16, name, "end");
    for (const auto& [layer, tensor] : by_layer) out += cell(kLeft + (layer + 1) * kCell, y, *tensor);
    y += kCell;
  }
  return out + legend(y + 12) + "</svg>\n";
}

}  // namespace hearth_tool
