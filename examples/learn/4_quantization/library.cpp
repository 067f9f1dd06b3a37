// Lesson 4, fifth program: the same products by the library, for many tokens at once and for one.
//
//   library MODEL
#include <hearth/hearth.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace {

// The fastest of five, in seconds; 0 after an error.
template <typename Work>
double seconds(const Work& work) {
  std::chrono::duration<double> best(1e9);
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (!work()) return 0;
    best = std::min<std::chrono::duration<double>>(best, std::chrono::steady_clock::now() - start);
  }
  return best.count();
}

void print(const char* what, double ms, double gmacs, double gigabytes, const hearth::MachineLimits& limits) {
  std::printf("%-12s %9.2f ms %10.1f %5.0f%% %12.1f %5.0f%%\n", what, ms, gmacs, 100 * gmacs / limits.int8_gmac_per_s,
              gigabytes, 100 * gigabytes / limits.read_gb_per_s);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: library MODEL\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  auto file = hearth::GgufFile::open(argv[1]);
  if (!model || !file) return std::fprintf(stderr, "%s: cannot be opened\n", argv[1]), 1;
  auto session = hearth::Session::create(*model, {.n_ctx = 512, .n_logits = 480});
  auto limits = hearth::measure_machine_limits(hearth::default_thread_count());
  if (!session || !limits) return std::fprintf(stderr, "out of memory\n"), 1;

  // Each number of each matrix meets each token, and is read once for all of them. Of the embedding a token takes one
  // row.
  double macs = 0, bytes = 0;
  for (const hearth::GgufTensor& tensor : file->tensors()) {
    if (tensor.name == "token_embd.weight" && file->tensor("output.weight")) continue;
    macs += double(tensor.n_elements) / 1e9;
    bytes += double(tensor.size_bytes) / 1e9;
  }
  std::vector<hearth::BatchToken> batch;  // all with logits: else the last layer would leave most tokens out
  for (int i = 0; i < 480; ++i) batch.push_back({100 + i, i, 0, true});
  const double many = seconds([&] {
    session->cache().clear();
    return bool(session->decode(batch));
  });
  const double one = seconds([&] {
    return session->cache().rollback(0, 1) && session->decode({{{100, 479, 0, true}}});
  });
  if (many == 0 || one == 0) return 1;

  std::printf("limits of %d threads: %.0f GMAC/s, %.1f GB/s\n", limits->n_threads, limits->int8_gmac_per_s,
              limits->read_gb_per_s);
  std::printf("                    time     GMAC/s                GB/s\n");
  print("480 tokens", 1e3 * many, 480 * macs / many, bytes / many, *limits);
  print("one token", 1e3 * one, macs / one, bytes / one, *limits);
}
