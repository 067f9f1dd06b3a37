// Lesson 4, sixth program: what opening a file costs, and what is read of it when.
//
//   cold_start MODEL       on Linux and the like: it asks the operating system what it holds of the file
#include <fcntl.h>
#include <hearth/hearth.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A mapping of our own, through which nothing is read: it only serves to ask which pages are in memory.
class Watched {
 public:
  explicit Watched(const char* path) : file_(open(path, O_RDONLY)) {
    bytes_ = file_ < 0 ? 0 : size_t(lseek(file_, 0, SEEK_END));
    mapping_ = mmap(nullptr, bytes_ > 0 ? bytes_ : 1, PROT_READ, MAP_SHARED, file_, 0);
  }
  ~Watched() {
    if (is_open()) munmap(mapping_, bytes_);
    if (file_ >= 0) close(file_);
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  bool is_open() const { return mapping_ != MAP_FAILED; }

  // Asks the system to drop what it holds of the file, as if nobody had read it since the machine started.
  void forget() const {
#ifdef POSIX_FADV_DONTNEED
    fdatasync(file_);
    posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED);
#endif
  }

  double share_in_memory() const {
    const size_t page = size_t(sysconf(_SC_PAGESIZE)), n_pages = (bytes_ + page - 1) / page;
#ifdef __APPLE__
    std::vector<char> held(n_pages);
#else
    std::vector<unsigned char> held(n_pages);
#endif
    if (mincore(mapping_, bytes_, held.data()) != 0) return 0;
    size_t n = 0;
    for (const auto h : held) n += size_t(h & 1);
    return double(n) / double(n_pages);
  }

 private:
  int file_;
  size_t bytes_ = 0;
  void* mapping_;
};

// Memory that this process alone has, in MB; what is mapped from a file does not count, for others may share it.
double own_memory_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == "RssAnon:" && status >> kilobytes) return kilobytes * 1024 / 1e6;
  }
  return 0;  // not a Linux
}

void report(const char* what, double took, const Watched& file) {
  std::printf("%-38s %9.2f ms %9.0f%%\n", what, took, 100 * file.share_in_memory());
}

bool next_token(const char* what, hearth::Session& session, int position, const Watched& file) {
  const Clock::time_point start = Clock::now();
  const bool done = bool(session.decode({{{7 + position, position, 0, true}}}));
  report(what, milliseconds_since(start), file);
  return done;
}

bool run(const char* path, const Watched& file, const hearth::ModelOptions& options, const char* opened) {
  const Clock::time_point start = Clock::now();
  auto model = hearth::Model::open(path, options);
  report(opened, milliseconds_since(start), file);
  auto session = model ? hearth::Session::create(*model, {.n_ctx = 64}) : model.error();
  if (!session || !next_token("  the first token", *session, 0, file)) return false;
  if (!next_token("  the second token", *session, 1, file)) return false;
  std::printf("  memory of the process's own %17.0f MB\n", own_memory_mb());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: cold_start MODEL\n"), 2;
  const Watched file(argv[1]);
  if (!file.is_open()) return std::fprintf(stderr, "%s: cannot be opened\n", argv[1]), 1;
  std::printf("                                            time    in memory\n");
  file.forget();
  std::printf("%-38s %12s %9.0f%%\n", "nobody has read the file", "", 100 * file.share_in_memory());
  if (!run(argv[1], file, {}, "mapped, from the disk")) return 1;
  if (!run(argv[1], file, {}, "mapped again, now in memory")) return 1;
  if (!run(argv[1], file, {.use_mmap = false}, "read into memory of its own")) return 1;
}
