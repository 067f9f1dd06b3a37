// How many threads are worth using here: affinity, physical and performance cores, cgroup quota.
#pragma once

#include <string>
#include <vector>

namespace hearth {

/// Physical (performance) cores among `cpus`, limited by the CPU quota of this process's cgroups (rounded up to
/// whole CPUs). At least 1. `root` is the folder that holds sys/ and proc/: "" for the machine itself.
/// Files that are missing or malformed limit nothing.
int count_usable_cores(const std::string& root, const std::vector<int>& cpus);

/// CPUs that this process may be scheduled on; empty when the system does not say.
std::vector<int> allowed_cpus();

/// Parses a kernel list such as "0-3,8,10-11"; malformed parts are left out.
std::vector<int> parse_cpu_list(const std::string& text);

}  // namespace hearth
