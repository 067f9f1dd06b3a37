// Lesson 4, first program: numbers in fewer bits. Three ways to build a block, and what one large number does to its
// neighbours.
//
//   blocks       prints two tables and draws error.svg
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

namespace {

using Vector = std::vector<float>;

// Numbers as the weights of a trained matrix are: spread like a bell around zero.
Vector bell(size_t n, unsigned seed) {
  std::mt19937 random(seed);
  const auto uniform = [&] { return (double(random()) + 0.5) / 4294967296.0; };
  Vector x(n);
  for (float& v : x) v = float(std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform()));
  return x;
}

float nearest(float code, float lowest, float highest) {
  return std::clamp(std::round(code), lowest, highest);
}
// Each of these puts n numbers into a block and gives back what the block stands for.

// One scale; codes from -(2^(bits-1) - 1) to 2^(bits-1) - 1. So are Q8_0 (8 bits) and, but for one code more, Q4_0.
void with_scale(float* y, const float* x, size_t n, int bits) {
  const float most = float((1 << (bits - 1)) - 1);
  float largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float scale = largest / most;
  for (size_t i = 0; i < n; ++i) y[i] = scale > 0 ? scale * nearest(x[i] / scale, -most, most) : 0;
}

// A scale and a minimum; codes from 0 to 2^bits - 1. So are Q5_1 and Q4_1.
void with_minimum(float* y, const float* x, size_t n, int bits) {
  const float most = float((1 << bits) - 1);
  const auto [low, high] = std::minmax_element(x, x + n);
  const float minimum = *low, scale = (*high - *low) / most;
  for (size_t i = 0; i < n; ++i) y[i] = scale > 0 ? minimum + scale * nearest((x[i] - minimum) / scale, 0, most) : *low;
}

// Eight blocks of 32 with a scale and a minimum each, which are codes of 6 bits themselves: steps of two scales that
// all eight share. So are Q4_K and Q5_K.
void superblock(float* y, const float* x, size_t n, int bits) {
  const float most = float((1 << bits) - 1);
  float largest_scale = 0, largest_minimum = 0;
  const auto ends = [&](size_t b) {
    const auto [low, high] = std::minmax_element(x + b, x + b + 32);
    return std::pair<float, float>(std::min(*low, 0.0f), *high);
  };
  for (size_t b = 0; b < n; b += 32) {
    largest_scale = std::max(largest_scale, (ends(b).second - ends(b).first) / most);
    largest_minimum = std::max(largest_minimum, -ends(b).first);
  }
  for (size_t b = 0; b < n; b += 32) {
    const auto [low, high] = ends(b);
    const float scale = largest_scale / 63 * nearest((high - low) / most / (largest_scale / 63), 1, 63);
    const float minimum = largest_minimum / 63 * nearest(low / (largest_minimum / 63), -63, 0);
    for (size_t i = b; i < b + 32; ++i) y[i] = minimum + scale * nearest((x[i] - minimum) / scale, 0, most);
  }
}

struct Way {
  const char* name;
  void (*put)(float* y, const float* x, size_t n, int bits);
  size_t block;
  double extra_bits;  // of a block: scales and minimums
  const char* colour;
};
const Way kWays[] = {{"scale", with_scale, 32, 16, "#c0392b"},
                     {"scale and minimum", with_minimum, 32, 32, "#2471a3"},
                     {"superblock", superblock, 256, 8 * 12 + 32, "#1e8449"}};

Vector through(const Way& way, const Vector& x, int bits) {
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); i += way.block) way.put(&y[i], &x[i], way.block, bits);
  return y;
}

// Root of the mean square of what changed, as a share of the numbers' own; of those that `counts`.
template <typename Counts>
double error(const Vector& x, const Vector& y, const Counts& counts) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!counts(i)) continue;
    difference += (double(y[i]) - x[i]) * (double(y[i]) - x[i]);
    size += double(x[i]) * x[i];
  }
  return std::sqrt(difference / size);
}

void draw(const std::vector<std::vector<std::pair<double, double>>>& lines) {
  FILE* svg = std::fopen("error.svg", "w");
  if (!svg) return;
  const auto px = [](double bits) { return 50 + 48 * (bits - 2); };
  const auto py = [](double share) { return 20 + 30 * std::log2(0.64 / share); };
  std::fprintf(svg,
               "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 420 290' font-family='sans-serif' "
               "font-size='11'>\n<rect width='420' height='290' fill='white'/>"
               "<path d='M50 10V260H405' stroke='#888' fill='none'/>\n");
  for (double share = 0.64; share > 0.003; share /= 2)
    std::fprintf(svg, "<text x='46' y='%.0f' text-anchor='end'>%g%%</text>\n", py(share) + 4, 100 * share);
  for (int bits = 2; bits < 10; ++bits)
    std::fprintf(svg, "<text x='%.0f' y='274' text-anchor='middle'>%d</text>\n", px(bits), bits);
  for (size_t w = 0; w < lines.size(); ++w) {
    std::fprintf(svg, "<polyline fill='none' stroke='%s' stroke-width='2' points='", kWays[w].colour);
    for (const auto& [bits, share] : lines[w]) std::fprintf(svg, "%.1f,%.1f ", px(bits), py(share));
    std::fprintf(svg, "'/>\n<text x='250' y='%zu' fill='%s'>%s</text>\n", 30 + 16 * w, kWays[w].colour, kWays[w].name);
  }
  std::fprintf(svg, "<text x='250' y='288'>bits a number</text></svg>\n");
  std::fclose(svg);
}

}  // namespace

int main() {
  const Vector x = bell(1 << 16, 1);
  std::printf("bits       scale           scale and minimum      superblock\n");
  std::vector<std::vector<std::pair<double, double>>> lines(3);
  for (const int bits : {8, 7, 6, 5, 4, 3, 2}) {
    std::printf("%d", bits);
    for (size_t w = 0; w < 3; ++w) {
      const double size = bits + kWays[w].extra_bits / double(kWays[w].block);
      lines[w].emplace_back(size, error(x, through(kWays[w], x, bits), [](size_t) { return true; }));
      std::printf("   %9.2f: %5.2f%%", size, 100 * lines[w].back().second);
    }
    std::printf("\n");
  }
  draw(lines);

  std::printf("\none number in 256 is made larger; error of the 255 others, 4 bits and a scale\n");
  std::printf("blocks of   bits a number   as it was   2 times   4 times   16 times\n");
  for (const size_t block : {16, 32, 64, 256}) {
    std::printf("%9zu   %13.2f", block, 4 + 16 / double(block));
    for (const float times : {1.0f, 2.0f, 4.0f, 16.0f}) {
      Vector outlier = x;
      for (size_t i = 100; i < x.size(); i += 256) outlier[i] = 3 * times;
      const Way way{"", with_scale, block, 16, ""};
      const auto others = [](size_t i) { return i % 256 != 100; };
      std::printf("   %7.1f%%", 100 * error(outlier, through(way, outlier, 4), others));
    }
    std::printf("\n");
  }
}
