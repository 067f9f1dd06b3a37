// Speed of every matrix-product kernel of the instruction set in use (HEARTH_ISA), for every tensor type: decoding a
// panel, multiplying it, one column at a time, and whole products over threads. Run with --benchmark_filter=Q4_K.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "hearth/cpu.h"
#include "hearth/threads.h"
#include "lib/matmul/matmul.h"
#include "tests/kernels/random_blocks.h"

namespace hearth {
namespace {

using kernels::kPanelRows;
using kernels::MatmulKernels;
using kernels::PanelKind;

constexpr int64_t kChunk = int64_t{kernels::kPanelBlocks} * kernels::kActBlock;

/// 64-byte aligned memory.
class Aligned {
 public:
  explicit Aligned(int64_t bytes) : memory_(static_cast<size_t>(bytes + 64)) {}
  std::byte* data() {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64;
  }

 private:
  std::vector<std::byte> memory_;
};

/// Rows of a type: a few random ones, repeated.
std::vector<uint8_t> weights(const kernels::TypeKernels& type, int64_t rows, int64_t cols) {
  std::mt19937 random(1);
  const int64_t row_bytes = cols / type.block_size * type.block_bytes;
  const std::vector<uint8_t> few = testing::random_weights(type, 4 * cols, random);
  std::vector<uint8_t> all;
  all.reserve(static_cast<size_t>(rows * row_bytes));
  for (int64_t r = 0; r < rows; ++r) {
    all.insert(all.end(), few.begin() + r % 4 * row_bytes, few.begin() + (r % 4 + 1) * row_bytes);
  }
  return all;
}

void set_rate(benchmark::State& state, const char* name, double per_iteration) {
  state.counters[name] = benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate);
}

void decode(benchmark::State& state, int type) {
  const kernels::TypeKernels& traits = kernels::kernels().types[type];
  const auto w = weights(traits, kPanelRows, kChunk);
  const int64_t row_bytes = kChunk / traits.block_size * traits.block_bytes;
  const int64_t n = (traits.kind == PanelKind::kFloat) ? kChunk / 2 : kChunk;
  Aligned panel(kernels::kPanelBytes);
  for (auto _ : state) kernels::kernels().matmul.decode[type](panel.data(), {w.data(), row_bytes, kPanelRows}, n);
  set_rate(state, "weights", static_cast<double>(kPanelRows * n));
}

void multiply(benchmark::State& state, int type) {
  const kernels::TypeKernels& traits = kernels::kernels().types[type];
  const MatmulKernels& m = kernels::kernels().matmul;
  const int n_cols = static_cast<int>(state.range(0));
  std::mt19937 random(1);
  const auto w = weights(traits, kPanelRows, kChunk);
  const auto x = testing::random_floats(kChunk * n_cols, random);
  const int64_t row_bytes = kChunk / traits.block_size * traits.block_bytes;
  const bool floats = traits.kind == PanelKind::kFloat;
  const int64_t n = floats ? kChunk / 2 : kChunk;
  Aligned panel(kernels::kPanelBytes);
  Aligned memory(kernels::act_group_bytes(kChunk, n_cols));
  Aligned acc(n_cols * kPanelRows * 4);
  m.decode[type](panel.data(), {w.data(), row_bytes, kPanelRows}, n);
  const kernels::ActGroup group = kernels::act_group_at(memory.data(), kChunk, n_cols);
  const float* columns[kernels::kGroupCols] = {};
  for (int c = 0; c < n_cols; ++c) {
    columns[c] = x.data() + c * kChunk;
    m.pack_acts(group, c, columns[c], kChunk);
  }
  auto* out = static_cast<float*>(static_cast<void*>(acc.data()));
  for (auto _ : state) {
    if (floats) {
      m.multiply_floats(out, panel.data(), columns, n_cols, n, true);
    } else {
      m.multiply[static_cast<int>(traits.kind)](out, panel.data(), group, kernels::kPanelBlocks, true);
    }
  }
  set_rate(state, "MAC", static_cast<double>(kPanelRows * n * n_cols));
}

void pack(benchmark::State& state) {
  std::mt19937 random(1);
  const auto x = testing::random_floats(kChunk, random);
  Aligned memory(kernels::act_group_bytes(kChunk, kernels::kGroupCols));
  const auto group = kernels::act_group_at(memory.data(), kChunk, kernels::kGroupCols);
  for (auto _ : state) kernels::kernels().matmul.pack_acts(group, 0, x.data(), kChunk);
  set_rate(state, "elements", static_cast<double>(kChunk));
}

/// A whole product: 2048 x 2048, from memory larger than the caches when there are few tokens.
void product(benchmark::State& state, int type) {
  constexpr int64_t kSide = 2048;
  const int64_t n_tokens = state.range(0);
  const int n_threads = static_cast<int>(state.range(1));
  const kernels::TypeKernels& traits = kernels::kernels().types[type];
  const int64_t copies = (n_tokens <= 8) ? 64 : 1;
  const auto w = weights(traits, kSide * copies, kSide);
  auto pool = Parallel::create(n_threads);
  if (!pool) return state.SkipWithError(pool.error().message.c_str());
  Aligned memory(static_cast<int64_t>(MatmulScratch::bytes_needed(n_tokens, kSide, n_threads)));
  MatmulScratch scratch;
  scratch.bind(memory.data(), n_tokens, kSide, n_threads);
  const MatmulContext context = {pool->get(), &scratch, false};
  std::mt19937 random(1);
  const auto x = testing::random_floats(n_tokens * kSide, random);
  std::vector<float> out(static_cast<size_t>(n_tokens * kSide));
  Matrix matrix = {nullptr, static_cast<kernels::TypeIndex>(type), kSide, kSide,
                   kSide / traits.block_size * traits.block_bytes};
  int64_t copy = 0;
  for (auto _ : state) {
    matrix.data = reinterpret_cast<const std::byte*>(w.data()) + copy * kSide * matrix.row_bytes;
    copy = (copy + 1) % copies;
    const Product p = {&matrix, out.data(), kSide, nullptr};
    matmul(context, {x.data(), kSide, n_tokens}, {&p, 1});
  }
  set_rate(state, "MAC", static_cast<double>(kSide * kSide * n_tokens));
  set_rate(state, "bytes", static_cast<double>(kSide * matrix.row_bytes));
}

void add_benchmarks() {
  benchmark::RegisterBenchmark("pack_acts", pack);
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const std::string name = testing::kTypeNames[type];
    benchmark::RegisterBenchmark((name + "/decode").c_str(), decode, type);
    benchmark::RegisterBenchmark((name + "/multiply/columns").c_str(), multiply, type)->Arg(1)->Arg(4)->Arg(6);
    benchmark::RegisterBenchmark((name + "/product/tokens/threads").c_str(), product, type)
        ->ArgsProduct({{1, 8, 64, 512}, {1, default_thread_count()}})
        ->UseRealTime();
  }
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("isa", hearth::active_isa());
  hearth::add_benchmarks();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
