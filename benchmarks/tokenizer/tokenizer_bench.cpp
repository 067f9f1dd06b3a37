// Times the tokenizer on one thread: loading a vocabulary, and encoding, counting and decoding files.
//
// usage: hearth_bench_tokenizer VOCAB.gguf TEXT...
// Prints the best of several runs; times are those of the thread, so that other programs disturb them little.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "hearth/tokenizer.h"

namespace {

constexpr int kRuns = 7;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Shortest of kRuns calls, in seconds.
template <typename Work>
double best_of(Work work) {
  double best = 1e9;
  for (int i = 0; i < kRuns; ++i) {
    const double begin = thread_seconds();
    work();
    best = std::min(best, thread_seconds() - begin);
  }
  return best;
}

int fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 1;
}

int measure(const hearth::Tokenizer& tokenizer, const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(std::string(path) + ": cannot be read");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto ids = tokenizer.encode(text);
  if (!ids) return fail(ids.error().message);
  size_t sum = 0;  // printed, so that no call is left out
  const double megabytes = static_cast<double>(text.size()) * 1e-6;
  const double encode = best_of([&] { sum += tokenizer.encode(text)->size(); });
  const double count = best_of([&] { sum += *tokenizer.count(text); });
  const double decode = best_of([&] { sum += tokenizer.decode(*ids)->size(); });
  std::printf("%s: %zu bytes, %zu tokens: encode %.1f, count %.1f, decode %.1f MB/s (%zu)\n", path, text.size(),
              ids->size(), megabytes / encode, megabytes / count, megabytes / decode, sum);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return fail("usage: hearth_bench_tokenizer VOCAB.gguf TEXT...");
  std::optional<hearth::Tokenizer> tokenizer;
  std::string error;
  const double load = best_of([&] {
    const auto file = hearth::GgufFile::open(argv[1], {.metadata_only = true});
    const auto loaded = file ? hearth::Tokenizer::from_gguf(*file) : hearth::Result<hearth::Tokenizer>(file.error());
    if (loaded) tokenizer = *loaded;
    if (!loaded) error = loaded.error().message;
  });
  if (!tokenizer) return fail(error);
  std::printf("%s: %d tokens loaded in %.1f ms\n", argv[1], tokenizer->n_vocab(), load * 1e3);
  for (int i = 2; i < argc; ++i) {
    if (const int status = measure(*tokenizer, argv[i]); status != 0) return status;
  }
  return 0;
}
