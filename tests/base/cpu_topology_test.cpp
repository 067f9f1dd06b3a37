// Thread counts on made-up /sys and /proc trees.
#include "lib/base/cpu_topology.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "hearth/threads.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

class Topology : public ::testing::Test {
 protected:
  Topology() {
    root_ = fs::path(::testing::TempDir()) /
            (std::string("hearth_topology_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~Topology() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void cpu(int id, const std::string& file, const std::string& text) {
    write("sys/devices/system/cpu/cpu" + std::to_string(id) + "/" + file, text + "\n");
  }
  int count(int n_cpus) {
    std::vector<int> cpus(static_cast<size_t>(n_cpus));
    std::iota(cpus.begin(), cpus.end(), 0);
    return count_usable_cores(root_.string(), cpus);
  }

  fs::path root_;
};

TEST_F(Topology, AnEmptyTreeCountsAllowedCpus) {
  EXPECT_EQ(count(6), 6);
  EXPECT_EQ(count(1), 1);
  EXPECT_EQ(count(0), 1);
}

TEST_F(Topology, HyperthreadsOfACoreCountOnce) {
  for (int i = 0; i < 8; ++i) {
    cpu(i, "topology/thread_siblings_list", std::to_string(i % 4) + "," + std::to_string(i % 4 + 4));
  }
  EXPECT_EQ(count(8), 4);
  EXPECT_EQ(count(2), 2);  // affinity leaves cpu0 and cpu1
  EXPECT_EQ(count_usable_cores(root_.string(), {0, 4}), 1);
}

TEST_F(Topology, NewKernelsNameTheListCoreCpus) {
  for (int i = 0; i < 4; ++i) cpu(i, "topology/core_cpus_list", i < 2 ? "0-1" : "2-3");
  EXPECT_EQ(count(4), 2);
}

TEST_F(Topology, HybridX86UsesPerformanceCores) {
  write("sys/devices/cpu_core/cpus", "0-7\n");
  write("sys/devices/cpu_atom/cpus", "8-15\n");
  for (int i = 0; i < 8; ++i) {
    cpu(i, "topology/core_cpus_list", std::to_string(i / 2 * 2) + "-" + std::to_string(i / 2 * 2 + 1));
  }
  EXPECT_EQ(count(16), 4);
  EXPECT_EQ(count_usable_cores(root_.string(), {8, 9, 10}), 3);  // confined to efficiency cores
}

TEST_F(Topology, ArmUsesTheCapableCores) {
  for (int i = 0; i < 8; ++i) cpu(i, "cpu_capacity", i < 4 ? "325" : (i < 7 ? "870" : "1024"));
  EXPECT_EQ(count(8), 4);
  EXPECT_EQ(count(4), 4);  // only little ones allowed
}

TEST_F(Topology, CgroupV2QuotaRoundsUp) {
  write("proc/self/cgroup", "0::/box\n");
  write("sys/fs/cgroup/box/cpu.max", "150000 100000\n");
  EXPECT_EQ(count(8), 2);
  write("sys/fs/cgroup/box/cpu.max", "50000 100000\n");
  EXPECT_EQ(count(8), 1);
  write("sys/fs/cgroup/box/cpu.max", "max 100000\n");
  EXPECT_EQ(count(8), 8);
}

TEST_F(Topology, CgroupV2AncestorsLimitToo) {
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/cpu.max", "300000 100000\n");
  write("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_EQ(count(8), 3);
}

TEST_F(Topology, CgroupV2InsideANamespace) {
  write("proc/self/cgroup", "0::/../../not/visible\n");
  write("sys/fs/cgroup/cpu.max", "400000 100000\n");
  EXPECT_EQ(count(8), 4);
}

TEST_F(Topology, CgroupV1Quota) {
  write("proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/docker/abc\n0::/\n");
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "250000\n");
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(count(8), 3);
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(count(8), 8);
}

TEST_F(Topology, MalformedFilesLimitNothing) {
  write("proc/self/cgroup", "nonsense\n:::\n0::/x\n\n");
  for (const char* text : {"", "max", "abc def", "0 0", "-5 100000", "100000", "99999999999999999999 -1"}) {
    write("sys/fs/cgroup/x/cpu.max", text);
    EXPECT_EQ(count(5), 5) << text;
  }
  cpu(0, "topology/core_cpus_list", "garbage");
  cpu(1, "topology/core_cpus_list", "9-2,,-,4000000000-4000000001");
  EXPECT_EQ(count(5), 5);
}

TEST(CpuList, ParsesRanges) {
  EXPECT_EQ(parse_cpu_list("0-3,8,10-11\n"), (std::vector<int>{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list("7"), (std::vector<int>{7}));
  EXPECT_TRUE(parse_cpu_list("").empty());
  EXPECT_TRUE(parse_cpu_list("0-999999999").empty());
  EXPECT_TRUE(parse_cpu_list("3-").empty());
}

TEST(ThreadCount, IsPositiveAndWithinAffinity) {
  EXPECT_GE(default_thread_count(), 1);
  EXPECT_LE(default_thread_count(), static_cast<int>(allowed_cpus().size()));
}

}  // namespace
}  // namespace hearth
