// Lesson 4, second program: which columns of a matrix matter, and what it changes to know it.
//
//   importance MODEL QUESTIONS.jsonl      a model with matrices in Q8_0
#include <hearth/hearth.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace {

using Vector = std::vector<float>;

// Row `r` of a matrix in Q8_0 as floats (lesson 1 has the same): 32 numbers are a scale in half precision and 32 bytes.
Vector row(const hearth::GgufTensor& matrix, int64_t r) {
  Vector out(size_t(matrix.dims[0]));
  const std::byte* block = matrix.data + size_t(r) * out.size() / 32 * 34;
  for (size_t i = 0; i < out.size(); i += 32, block += 34) {
    uint16_t bits;
    std::memcpy(&bits, block, 2);
    const float scale = std::ldexp(float(1024 + (bits & 1023)), (bits >> 10 & 31) - 25);  // normal and not negative
    for (size_t j = 0; j < 32; ++j) out[i + j] = scale * float(int8_t(block[2 + j]));
  }
  return out;
}

struct Errors {
  double of_weights = 0, of_product = 0, weights = 0, product = 0;
};

// Rounds 32 numbers to codes of -3 to 3 (2.8 bits) with the scale, of 40 tried, for which `matters` times the squared
// error is least; then adds up what that did to the numbers, and to their product with inputs of the size `inputs`.
void round_block(Errors& errors, const float* x, const float* matters, const float* inputs) {
  float largest = 0, scale = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  const auto rounded = [&](int i, float s) { return s > 0 ? s * std::clamp(std::round(x[i] / s), -3.0f, 3.0f) : 0; };
  double least = 1e30;
  for (int trial = 0; trial < 40; ++trial) {
    const float candidate = largest / 3 * (0.4f + 0.02f * float(trial));
    double sum = 0;
    for (int i = 0; i < 32; ++i) sum += double(matters[i]) * std::pow(rounded(i, candidate) - x[i], 2);
    if (sum < least) least = sum, scale = candidate;
  }
  for (int i = 0; i < 32; ++i) {
    const double difference = std::pow(rounded(i, scale) - x[i], 2), size = double(x[i]) * x[i];
    errors.of_weights += difference;
    errors.weights += size;
    errors.of_product += double(inputs[i]) * difference;
    errors.product += double(inputs[i]) * size;
  }
}

void compare(const hearth::GgufTensor& matrix, std::span<const float> inputs) {
  Errors blind, knowing;
  const Vector same(inputs.size(), 1.0f);
  for (int64_t r = 0; r < matrix.dims[1]; ++r) {
    const Vector x = row(matrix, r);
    for (size_t i = 0; i < x.size(); i += 32) {
      round_block(blind, &x[i], &same[i], &inputs[i]);
      round_block(knowing, &x[i], &inputs[i], &inputs[i]);
    }
  }
  Vector sorted(inputs.begin(), inputs.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const double all = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  const double top = std::accumulate(sorted.begin(), sorted.begin() + std::ptrdiff_t(sorted.size() / 32), 0.0);
  const auto percent = [](double error, double size) { return 100 * std::sqrt(error / size); };
  std::printf("%-26s %5.0f%% %8.2f%% %8.2f%% %12.2f%% %8.2f%%\n", std::string(matrix.name).c_str(), 100 * top / all,
              percent(blind.of_weights, blind.weights), percent(knowing.of_weights, knowing.weights),
              percent(blind.of_product, blind.product), percent(knowing.of_product, knowing.product));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: importance MODEL QUESTIONS.jsonl\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  auto file = hearth::GgufFile::open(argv[1]);
  if (!model || !file) return std::fprintf(stderr, "%s\n", file.error().message.c_str()), 1;
  std::ifstream questions(argv[2]);
  const std::string text((std::istreambuf_iterator<char>(questions)), std::istreambuf_iterator<char>());
  auto importance = hearth::measure_importance(
      *model, text, {.run = {.chunk_size = 256, .max_chunks = 40, .parse_special = true, .exact_products = true}});
  if (!importance) return std::fprintf(stderr, "%s\n", importance.error().message.c_str()), 1;

  std::printf("                          a 32nd    error of weights     error of products\n");
  std::printf("matrix                     has     blind  knowing         blind  knowing\n");
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_output.weight", "blk.0.ffn_down.weight",
                           "blk.5.attn_q.weight", "blk.5.attn_output.weight", "blk.5.ffn_down.weight"}) {
    const hearth::GgufTensor* matrix = file->tensor(name);
    const std::span<const float> inputs = importance->weights(name);
    if (!matrix || matrix->type != hearth::TensorType::kQ8_0 || inputs.empty()) continue;
    compare(*matrix, inputs);
  }
}
