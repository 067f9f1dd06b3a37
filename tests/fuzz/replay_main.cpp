// Runs a fuzz entry without libFuzzer: over the files of a corpus folder, and over COUNT seeded mutations of them, so
// that every compiler and every test run exercises the entry a little. usage: NAME_replay COUNT [FOLDER]
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

/// Files of the folder in the order of their names, after the empty input.
std::vector<Bytes> read_corpus(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus(1);
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

/// One of: flip a bit, set a byte to an extreme value, insert a byte, cut the end off.
void mutate(Bytes& bytes, std::mt19937_64& random) {
  constexpr uint8_t kExtremes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
  const size_t at = bytes.empty() ? 0 : random() % bytes.size();
  const auto offset = static_cast<std::ptrdiff_t>(at);
  switch (bytes.empty() ? 2 : random() % 4) {
    case 0: bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1u << random() % 8)); break;
    case 1: bytes[at] = kExtremes[random() % std::size(kExtremes)]; break;
    case 2: bytes.insert(bytes.begin() + offset, static_cast<uint8_t>(random())); break;
    default: bytes.resize(at); break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s COUNT [FOLDER]\n", argv[0]), 2;
  const long count = std::atol(argv[1]);
  const std::vector<Bytes> corpus = read_corpus(argc > 2 ? argv[2] : "");
  for (const Bytes& bytes : corpus) LLVMFuzzerTestOneInput(bytes.data(), bytes.size());

  std::mt19937_64 random(1);
  for (long i = 0; i < count; ++i) {
    Bytes bytes = corpus[random() % corpus.size()];
    for (uint64_t n = 1 + random() % 4; n > 0; --n) mutate(bytes, random);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu files, %ld mutations\n", corpus.size(), count);
  return 0;
}
