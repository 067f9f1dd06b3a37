// What product.cpp multiplies: a matrix in Q8_0, tokens in 8 bits, and the order in which steps 4 and 5 want both.
//
// In a panel a lane of a register is a row. So the sums of 16 rows lie side by side in one register, nothing has to be
// added across lanes, and a block's scales (one for each row) are applied by one multiplication. What is loaded of the
// weights serves six tokens before it is dropped.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

constexpr int kRows = 32, kTokens = 6;

struct Q8Block {
  uint16_t half;  // the scale, in half precision
  int8_t code[32];
  float scale() const { return std::bit_cast<float>((uint32_t(half) << 13) + (112u << 23)); }  // if >= 2^-14
};
static_assert(sizeof(Q8Block) == 34);

struct Panel {
  std::vector<uint8_t> codes;  // [blocks][8 steps][32 rows][4], plus 128: the instruction wants one side unsigned
  std::vector<float> scales;   // [blocks][32 rows]
};

struct TokenGroup {
  std::vector<int8_t> codes;  // [blocks][8 steps][6 tokens][4]
  std::vector<float> scales;  // [blocks][6]
  std::vector<int32_t>
      starts;  // [blocks][6] minus 128 times the sum of the codes: takes off what the weights have more
};

inline Panel make_panel(const Q8Block* w, size_t blocks) {
  Panel panel{std::vector<uint8_t>(kRows * 32 * blocks), std::vector<float>(kRows * blocks)};
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t b = 0; b < blocks; ++b, ++w) {
      panel.scales[b * kRows + r] = w->scale();
      for (size_t i = 0; i < 32; ++i)
        panel.codes[((8 * b + i / 4) * kRows + r) * 4 + i % 4] = uint8_t(w->code[i] + 128);
    }
  }
  return panel;
}

inline TokenGroup make_group(const int8_t* codes, const float* scales, size_t cols) {
  TokenGroup group;
  group.codes.resize(kTokens * cols);
  group.scales.resize(kTokens * cols / 32);
  group.starts.resize(kTokens * cols / 32);
  for (size_t t = 0; t < kTokens; ++t) {
    for (size_t i = 0; i < cols; ++i) {
      group.codes[(i / 4 * kTokens + t) * 4 + i % 4] = codes[t * cols + i];
      group.starts[i / 32 * kTokens + t] -= 128 * codes[t * cols + i];
    }
    for (size_t b = 0; b < cols / 32; ++b) group.scales[b * kTokens + t] = scales[t * (cols / 32) + b];
  }
  return group;
}

// y[t * rows + r] is to be row r of W times token t.
struct Task {
  const Q8Block* w;
  size_t rows, blocks, tokens;  // a row of W and a token have 32 * blocks numbers
  std::vector<float> x;
  std::vector<int8_t> codes;  // the tokens in 8 bits,
  std::vector<float> scales;  // and a scale for each 32
  std::vector<TokenGroup> groups;
};

inline Task make_task(const void* matrix, size_t rows, size_t blocks, size_t tokens) {
  Task m{static_cast<const Q8Block*>(matrix), rows, blocks, tokens, {}, {}, {}, {}};
  std::mt19937 random(1);
  for (size_t b = 0; b < tokens * m.blocks; ++b) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) m.x.push_back(float(random() % 2001) / 1000 - 1);
    for (size_t i = 32 * b; i < 32 * b + 32; ++i) largest = std::max(largest, std::fabs(m.x[i]));
    m.scales.push_back(largest / 127);
    for (size_t i = 32 * b; i < 32 * b + 32; ++i) m.codes.push_back(int8_t(std::lround(m.x[i] / m.scales[b])));
  }
  for (size_t t = 0; t < tokens; t += kTokens)
    m.groups.push_back(make_group(&m.codes[t * 32 * m.blocks], &m.scales[t * m.blocks], 32 * m.blocks));
  return m;
}
