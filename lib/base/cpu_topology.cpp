// Thread count detection from what Windows tells, and from Linux's /sys and /proc: what the kernel documents in
// Documentation/admin-guide/cputopology.rst, cgroup-v2.rst and cgroup-v1/cpu (scheduler/sched-bwc.rst).
#include "lib/base/cpu_topology.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <sched.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "hearth/threads.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"

namespace hearth {
namespace {

constexpr int kMaxCpuId = 65535;
constexpr size_t kMaxFileBytes = 65536;

std::optional<std::string> read_text(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return std::nullopt;
  std::string text(kMaxFileBytes, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

std::optional<int64_t> parse_number(const std::string& text) {
  const char* begin = text.c_str();
  char* end = nullptr;
  const long long value = std::strtoll(begin, &end, 10);
  if (end == begin) return std::nullopt;
  return value;
}

std::string cpu_folder(const std::string& root, int cpu) {
  return concat(root, "/sys/devices/system/cpu/cpu", cpu);
}

/// Lowest CPU of the physical core that holds `cpu`.
int core_of(const std::string& root, int cpu) {
  for (const char* name : {"/topology/core_cpus_list", "/topology/thread_siblings_list"}) {
    const std::optional<std::string> text = read_text(cpu_folder(root, cpu) + name);
    const std::vector<int> siblings = text ? parse_cpu_list(*text) : std::vector<int>{};
    if (!siblings.empty()) return *std::min_element(siblings.begin(), siblings.end());
  }
  return cpu;
}

/// Hybrid x86 lists its performance cores in a file of their own.
std::vector<int> keep_listed_performance_cores(const std::string& root, const std::vector<int>& cpus) {
  const std::optional<std::string> text = read_text(root + "/sys/devices/cpu_core/cpus");
  if (!text) return cpus;
  const std::vector<int> fast = parse_cpu_list(*text);
  std::vector<int> kept;
  for (int cpu : cpus) {
    if (std::find(fast.begin(), fast.end(), cpu) != fast.end()) kept.push_back(cpu);
  }
  return kept.empty() ? cpus : kept;
}

/// Arm and RISC-V publish a capacity (the largest core has 1024); those below half of the largest are left out.
std::vector<int> keep_capable_cores(const std::string& root, const std::vector<int>& cpus) {
  std::vector<int64_t> capacity;
  for (int cpu : cpus) {
    const std::optional<std::string> text = read_text(cpu_folder(root, cpu) + "/cpu_capacity");
    const std::optional<int64_t> value = text ? parse_number(*text) : std::nullopt;
    if (!value) return cpus;
    capacity.push_back(*value);
  }
  if (cpus.empty()) return cpus;
  const int64_t largest = *std::max_element(capacity.begin(), capacity.end());
  std::vector<int> kept;
  for (size_t i = 0; i < cpus.size(); ++i) {
    if (capacity[i] >= largest - largest / 2) kept.push_back(cpus[i]);
  }
  return kept;
}

/// CPUs' worth of time in each period, rounded up; nothing when unlimited.
std::optional<int> whole_cpus(std::optional<int64_t> quota_us, std::optional<int64_t> period_us) {
  if (!quota_us || !period_us || *quota_us <= 0 || *period_us <= 0) return std::nullopt;
  const int64_t cpus = (*quota_us - 1) / *period_us + 1;
  return static_cast<int>(std::min<int64_t>(cpus, kMaxCpuId));
}

/// cgroup v2: "max 100000" or "150000 100000".
std::optional<int> quota_v2(const std::string& folder) {
  const std::optional<std::string> text = read_text(folder + "/cpu.max");
  if (!text) return std::nullopt;
  const size_t space = text->find(' ');
  if (space == std::string::npos) return std::nullopt;
  return whole_cpus(parse_number(*text), parse_number(text->substr(space)));
}

/// cgroup v1: one number a file; a quota of -1 is none.
std::optional<int> quota_v1(const std::string& folder) {
  const std::optional<std::string> quota = read_text(folder + "/cpu.cfs_quota_us");
  const std::optional<std::string> period = read_text(folder + "/cpu.cfs_period_us");
  if (!quota || !period) return std::nullopt;
  return whole_cpus(parse_number(*quota), parse_number(*period));
}

/// The tightest quota of a group and its ancestors up to the mount point.
template <typename Read>
void tighten(std::optional<int>& limit, const std::string& mount, std::string path, Read read) {
  if (path.find("..") != std::string::npos) path.clear();  // a group outside of this namespace
  for (;;) {
    const std::optional<int> quota = read(mount + path);
    if (quota && (!limit || *quota < *limit)) limit = quota;
    const size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return;
    path.resize(slash);
  }
}

bool names_cpu_controller(std::string_view controllers) {
  while (!controllers.empty()) {
    const size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    if (comma == std::string_view::npos) return false;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

/// One line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1).
void apply_cgroup_line(std::optional<int>& limit, const std::string& root, const std::string& line) {
  const size_t first = line.find(':');
  const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
  if (second == std::string::npos) return;
  const std::string controllers = line.substr(first + 1, second - first - 1);
  const std::string path = line.substr(second + 1);
  const std::string mounts = root + "/sys/fs/cgroup";
  if (controllers.empty()) {
    tighten(limit, mounts, path, quota_v2);
    tighten(limit, mounts + "/unified", path, quota_v2);
  } else if (names_cpu_controller(controllers)) {
    tighten(limit, concat(mounts, "/", controllers), path, quota_v1);
    tighten(limit, mounts + "/cpu", path, quota_v1);
  }
}

std::optional<int> cgroup_limit(const std::string& root) {
  std::optional<int> limit;
  const std::string text = read_text(root + "/proc/self/cgroup").value_or("0::/\n");
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    apply_cgroup_line(limit, root, text.substr(begin, end - begin));
    begin = end + 1;
  }
  return limit;
}

}  // namespace

std::vector<int> parse_cpu_list(const std::string& text) {
  std::vector<int> cpus;
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const long first = std::strtol(at, &end, 10);
    const bool number = end != at;
    long last = first;
    if (number && *end == '-') {
      const char* second = end + 1;
      last = std::strtol(second, &end, 10);
      if (end == second) last = -1;
    }
    if (number && first >= 0 && last >= first && last <= kMaxCpuId) {
      for (long cpu = first; cpu <= last; ++cpu) cpus.push_back(static_cast<int>(cpu));
    }
    at = end;
    while (*at != '\0' && *at != ',') ++at;
    if (*at == ',') ++at;
  }
  return cpus;
}

int count_usable_cores(const std::string& root, const std::vector<int>& cpus) {
  const std::vector<int> fast = keep_capable_cores(root, keep_listed_performance_cores(root, cpus));
  std::vector<int> cores;
  for (int cpu : fast) cores.push_back(core_of(root, cpu));
  std::sort(cores.begin(), cores.end());
  const auto distinct = std::unique(cores.begin(), cores.end()) - cores.begin();
  const int limit = cgroup_limit(root).value_or(kMaxCpuId);
  return std::clamp(static_cast<int>(distinct), 1, std::max(limit, 1));
}

#if defined(_WIN32)

/// One of each core: Windows says itself which belong together.
std::vector<int> allowed_cpus() {
  DWORD_PTR ours = 0, of_system = 0;
  DWORD bytes = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &of_system)) return {0};
  GetLogicalProcessorInformation(nullptr, &bytes);
  std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> rows(bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
  if (!GetLogicalProcessorInformation(rows.data(), &bytes)) return {0};
  std::vector<int> cpus;
  for (const auto& row : rows) {
    const uint64_t usable = row.ProcessorMask & ours;
    if (row.Relationship == RelationProcessorCore && usable != 0) cpus.push_back(std::countr_zero(usable));
  }
  return cpus;
}

#else

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
#endif
  if (cpus.empty()) {
    const long online = std::clamp<long>(sysconf(_SC_NPROCESSORS_ONLN), 1, kMaxCpuId);
    for (int cpu = 0; cpu < online; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

#endif

int default_thread_count() {
  return guard_or(1, [] { return count_usable_cores("", allowed_cpus()); });
}

}  // namespace hearth
