// From /proc/meminfo, the control group (version 2) and RLIMIT_AS.
#include "available_memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace hearth_tool {
namespace {

constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();

/// "MemAvailable:  123 kB"
uint64_t of_machine() {
  std::ifstream in("/proc/meminfo");
  std::string key, unit;
  for (uint64_t kilobytes = 0; in >> key >> kilobytes; std::getline(in, unit)) {
    if (key == "MemAvailable:") return kilobytes * 1024;
  }
  return kUnknown;
}

uint64_t number_in(const std::string& path) {
  std::ifstream in(path);
  uint64_t value = 0;
  return in >> value ? value : kUnknown;  // "max" is no number
}

/// The least that this process's group and those above it leave. What a group uses includes pages of files, which give
/// way; so does what is counted here as inactive.
uint64_t of_control_group() {
  std::ifstream in("/proc/self/cgroup");
  std::string line, group;
  while (std::getline(in, line)) {
    if (line.starts_with("0::/")) group = line.substr(4);
  }
  uint64_t least = kUnknown;
  for (std::string path = "/sys/fs/cgroup/" + group; path.size() > 14; path.resize(path.rfind('/'))) {
    const uint64_t limit = number_in(path + "/memory.max"), used = number_in(path + "/memory.current");
    if (limit == kUnknown || used == kUnknown) continue;
    uint64_t files = 0;
    std::ifstream stat(path + "/memory.stat");
    std::string key;
    for (uint64_t value = 0; stat >> key >> value;) {
      if (key == "inactive_file" || key == "active_file") files += value;
    }
    const uint64_t taken = used - std::min(used, files);
    least = std::min(least, limit - std::min(limit, taken));
  }
  return least;
}

uint64_t of_process() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnknown;
  return limit.rlim_cur;
}

}  // namespace

uint64_t available_memory() {
  const uint64_t least = std::min({of_machine(), of_control_group(), of_process()});
  return least == kUnknown ? 0 : least;
}

}  // namespace hearth_tool
