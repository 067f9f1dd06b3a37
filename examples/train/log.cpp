// The log and its picture.
#include "examples/train/log.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace train {
namespace {

constexpr double kWidth = 720, kHeight = 360, kMargin = 48;

bool write_log(const std::string& path, const std::vector<LogRow>& rows, bool append) {
  std::ofstream out(path, append ? std::ios::app : std::ios::trunc);
  if (out.tellp() == 0) out << "step,tokens,loss,validation,accuracy\n";
  for (const LogRow& row : rows) {
    out << row.step << ',' << row.tokens << ',' << row.loss << ',' << row.validation << ',' << row.accuracy << '\n';
  }
  return static_cast<bool>(out.flush());
}

std::string text(double x, double y, const std::string& anchor, const std::string& words) {
  std::ostringstream out;
  out << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\">" << words << "</text>\n";
  return out.str();
}

std::string line(const std::vector<std::pair<double, double>>& points, const std::string& colour) {
  std::ostringstream out;
  out << "<polyline fill=\"none\" stroke=\"" << colour << "\" stroke-width=\"1.5\" points=\"";
  for (const auto& [x, y] : points) out << std::round(x * 10) / 10 << ',' << std::round(y * 10) / 10 << ' ';
  out << "\"/>\n";
  return out.str();
}

std::string number(double value, const char* format) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

}  // namespace

bool append_log(const std::string& path, const LogRow& row) {
  return write_log(path, {row}, true);
}

std::vector<LogRow> read_log(const std::string& path) {
  std::ifstream in(path);
  std::vector<LogRow> rows;
  std::string cells;
  std::getline(in, cells);
  while (std::getline(in, cells)) {
    std::replace(cells.begin(), cells.end(), ',', ' ');
    LogRow row;
    if (std::istringstream(cells) >> row.step >> row.tokens >> row.loss >> row.validation >> row.accuracy)
      rows.push_back(row);
  }
  return rows;
}

bool cut_log(const std::string& path, int64_t step) {
  std::vector<LogRow> rows = read_log(path);
  std::erase_if(rows, [step](const LogRow& row) { return row.step > step; });
  return write_log(path, rows, false);
}

std::string draw_log(const std::vector<LogRow>& rows) {
  if (rows.empty()) return {};
  double low = rows[0].loss, high = rows[0].loss;
  for (const LogRow& row : rows) low = std::min(low, row.loss), high = std::max(high, row.loss);
  low = std::max(low, 1e-3) * 0.9;
  const double last = static_cast<double>(std::max<int64_t>(1, rows.back().tokens)), inner = kHeight - 2 * kMargin;
  const auto x_of = [&](const LogRow& row) {
    return kMargin + (kWidth - 2 * kMargin) * static_cast<double>(row.tokens) / last;
  };
  const auto loss_y = [&](double loss) {
    return kHeight - kMargin - inner * std::log(loss / low) / std::log(high / low);
  };

  std::vector<std::pair<double, double>> loss, validation, accuracy;
  for (const LogRow& row : rows) {
    loss.emplace_back(x_of(row), loss_y(row.loss));
    if (row.validation > 0) validation.emplace_back(x_of(row), loss_y(row.validation));
    if (row.accuracy >= 0) accuracy.emplace_back(x_of(row), kHeight - kMargin - inner * row.accuracy);
  }
  std::ostringstream out;
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << kWidth << ' ' << kHeight
      << "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  for (double tick : {0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0, 8.0}) {
    if (tick < low || tick > high) continue;
    out << line({{kMargin, loss_y(tick)}, {kWidth - kMargin, loss_y(tick)}}, "#dddddd")
        << text(kMargin - 6, loss_y(tick) + 4, "end", number(tick, "%g"));
  }
  for (int share = 0; share <= 100; share += 25) {
    out << text(kWidth - kMargin + 6, kHeight - kMargin - inner * share / 100 + 4, "start",
                std::to_string(share) + "%");
  }
  out << line(loss, "#9db8d9") << line(validation, "#1f4e8c") << line(accuracy, "#c05020");
  out << text(kMargin, kHeight - kMargin + 18, "start", "0")
      << text(kWidth - kMargin, kHeight - kMargin + 18, "end", number(last / 1e6, "%.1f million tokens"))
      << text(kWidth / 2, 20, "middle",
              "loss (pale: each step's, dark: validation) and share of held-out questions answered (orange)");
  out << "</svg>\n";
  return out.str();
}

}  // namespace train
