// Memory from /proc/meminfo, the control group (version 2) and what the system allows a process; speed by measuring.
#include "machine.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <limits>
#include <string>

#include "files.h"
#include "hearth/cpu.h"
#include "hearth/threads.h"
#include "system.h"

namespace hearth_store {
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

}  // namespace

uint64_t available_memory() {
  const uint64_t least = std::min({of_machine(), of_control_group(), memory_limit()});
  return least == kUnknown ? 0 : least;
}

double kept_read_speed(const std::string& folder) {
  if (folder.empty()) return 0;
  const fs::path path = path_of(folder) / "read-speed";
  const int64_t age = std::time(nullptr) - modified_seconds(path);
  const auto text = age >= 0 && age < 86400 ? read_whole(path, 64) : hearth::Result<std::string>(hearth::Error{});
  const double speed = text ? std::strtod(text->c_str(), nullptr) : 0;
  return speed > 1e6 && speed < 1e14 ? speed : 0;
}

double read_speed(const std::string& folder) {
  if (const double kept = kept_read_speed(folder); kept > 0) return kept;
  const auto limits = hearth::measure_machine_limits(hearth::default_thread_count());
  if (!limits) return 0;
  const double speed = limits->read_gb_per_s * 1e9;
  if (!folder.empty()) (void)write_whole(path_of(folder) / "read-speed", std::to_string(static_cast<int64_t>(speed)));
  return speed;
}

}  // namespace hearth_store
