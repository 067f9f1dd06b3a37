// Lesson 4, fourth program: one matrix of a model times many tokens, from the plain loop to the machine's limit.
//
//   product MODEL       a model with matrices in Q8_0
#include <hearth/hearth.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>
#include <thread>

#include "multiply.h"

namespace {

double seconds(const std::function<void()>& work) {  // the fastest of five
  std::chrono::duration<double> best(1e9);
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min<std::chrono::duration<double>>(best, std::chrono::steady_clock::now() - start);
  }
  return best.count();
}

// 1. As in lesson 1: decode a number where it is used, and add one product after the other.
void plain(float* y, const Task& m, size_t first, size_t last) {
  for (size_t t = 0; t < m.tokens; ++t) {
    for (size_t r = first; r < last; ++r) {
      float sum = 0;
      for (size_t i = 0; i < 32 * m.blocks; ++i) {
        const Q8Block& block = m.w[r * m.blocks + i / 32];
        sum += block.scale() * float(block.code[i % 32]) * m.x[t * 32 * m.blocks + i];
      }
      y[t * m.rows + r] = sum;
    }
  }
}

// 2. Decode a row once, for all tokens; and 16 sums, so that an addition need not wait for the one before it.
void decoded_once(float* y, const Task& m, size_t first, size_t last) {
  std::vector<float> row(32 * m.blocks);
  for (size_t r = first; r < last; ++r) {
    for (size_t i = 0; i < row.size(); ++i) {
      const Q8Block& block = m.w[r * m.blocks + i / 32];
      row[i] = block.scale() * float(block.code[i % 32]);
    }
    for (size_t t = 0; t < m.tokens; ++t) {
      float sums[16] = {};
      for (size_t i = 0; i < row.size(); i += 16)
        for (size_t j = 0; j < 16; ++j) sums[j] += row[i + j] * m.x[t * row.size() + i + j];
      y[t * m.rows + r] = std::accumulate(sums, sums + 16, 0.0f);
    }
  }
}

// 3. The tokens in 8 bits too: 32 products of small integers, then one multiplication with both scales.
void integers(float* y, const Task& m, size_t first, size_t last) {
  for (size_t r = first; r < last; ++r) {
    for (size_t t = 0; t < m.tokens; ++t) {
      float sum = 0;
      for (size_t b = 0; b < m.blocks; ++b) {
        const Q8Block& block = m.w[r * m.blocks + b];
        int dot = 0;
        for (size_t i = 0; i < 32; ++i) dot += block.code[i] * m.codes[(t * m.blocks + b) * 32 + i];
        sum += block.scale() * m.scales[t * m.blocks + b] * float(dot);
      }
      y[t * m.rows + r] = sum;
    }
  }
}

// 4. Panels of 32 rows times groups of six tokens (panel.h).
void panels(float* y, const Task& m, size_t first, size_t last) {
  for (size_t r = first; r < last; r += kRows) {
    const Panel panel = make_panel(m.w + r * m.blocks, m.blocks);
    for (size_t g = 0; g < m.groups.size(); ++g) multiply(y + g * kTokens * m.rows + r, m.rows, panel, m.groups[g]);
  }
}

// 5. The same by several threads, each with its rows.
void threads(float* y, const Task& m, size_t first, size_t last) {
  const size_t n = size_t(hearth::default_thread_count()), share = (last - first) / kRows / n * kRows;
  std::vector<std::thread> others;
  for (size_t i = 1; i < n; ++i) others.emplace_back(panels, y, std::cref(m), last - i * share, last - (i - 1) * share);
  panels(y, m, first, last - (n - 1) * share);
  for (std::thread& other : others) other.join();
}

struct Step {
  const char* name;
  void (*work)(float*, const Task&, size_t, size_t);
  size_t rows;  // done of the matrix: fewer where it takes long
};
const Step kSteps[] = {{"1 decode every number where it is used", plain, 32},
                       {"2 a row once, 16 sums side by side", decoded_once, 256},
                       {"3 integers of 8 bits", integers, 256},
                       {"4 panels: rows in lanes, six tokens", panels, 2048},
                       {"5 all threads", threads, 4096}};

}  // namespace

int main(int argc, char** argv) {
  const char* path = argc < 2 ? "no file was named" : argv[1];
  auto file = hearth::GgufFile::open(path);
  const hearth::GgufTensor* matrix = file ? file->tensor("blk.0.ffn_up.weight") : nullptr;
  if (!matrix || matrix->type != hearth::TensorType::kQ8_0)
    return std::fprintf(stderr, "%s: needs a model with matrices in Q8_0\n", path), 1;
  auto one = hearth::measure_machine_limits(1), all = hearth::measure_machine_limits(hearth::default_thread_count());
  if (!one || !all) return 1;
  const Task task = make_task(matrix->data, size_t(matrix->dims[1]), size_t(matrix->dims[0] / 32), 480);
  std::printf("limits: one thread %.0f GMAC/s, %d threads %.0f GMAC/s\n", one->int8_gmac_per_s, all->n_threads,
              all->int8_gmac_per_s);
  std::printf("%zu rows of %zu times 480 tokens     GMAC/s    of the limit   error\n", task.rows, 32 * task.blocks);
  std::vector<float> y(task.rows * task.tokens), exact;
  for (const Step& step : kSteps) {
    const size_t rows = std::min(step.rows, task.rows / kRows * kRows);
    const double speed =
        double(rows * 32 * task.blocks * task.tokens) / 1e9 / seconds([&] { step.work(y.data(), task, 0, rows); });
    if (exact.empty()) exact = y;
    double difference = 0, size = 0;
    for (size_t i = 0; i < y.size(); ++i) {
      if (exact[i] != 0) difference += std::pow(double(y[i]) - exact[i], 2);  // 0: a row that step 1 left out
      size += std::pow(double(exact[i]), 2);
    }
    const double limit = step.work == threads ? all->int8_gmac_per_s : one->int8_gmac_per_s;
    std::printf("%-38s %8.1f %11.1f%% %9.2f%%\n", step.name, speed, 100 * speed / limit,
                100 * std::sqrt(difference / size));
  }
}
