// hearth_server_fuzz COUNT [SEED [MODEL [EMBEDDER]]]: so many fuzzed requests to a server in this process. Exit code 1
// when one made it fail or answer in a form that no client could read.
#include <cstdio>
#include <cstdlib>

#include "support/paths.h"
#include "tests/server/fuzz_world.h"

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: hearth_server_fuzz COUNT [SEED [MODEL [EMBEDDER]]]\n"), 2;
  const uint64_t count = std::strtoull(argv[1], nullptr, 10);
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const std::string model =
      argc > 3 ? argv[3] : hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";
  hearth_server::FuzzWorld world;
  if (const auto started = world.start(model, argc > 4 ? argv[4] : ""); !started) {
    return std::fprintf(stderr, "%s\n", started.error().message.c_str()), 1;
  }
  hearth_server::FuzzReport report;
  for (uint64_t done = 0; done < count; done += 5000) {
    world.run(seed, done, std::min(done + 5000, count), 4, report);
    std::fprintf(stderr, "%llu requests: %llu answered, %llu refused, %llu faults\n",
                 static_cast<unsigned long long>(report.n_requests), static_cast<unsigned long long>(report.n_good),
                 static_cast<unsigned long long>(report.n_refused), static_cast<unsigned long long>(report.n_faults));
  }
  return report.n_faults == 0 && world.lives() ? 0 : 1;
}
