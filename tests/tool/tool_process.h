// Runs the built command-line tool as a process and collects what it says.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/paths.h"

namespace hearth::testing {

struct ToolResult {
  int exit_code = -1;  ///< -1: ended by a signal
  std::string out, err;
  int64_t max_resident_bytes = 0;
};

struct ToolRun {
  std::vector<std::string> args;
  std::string input{};                         ///< standard input
  std::string output_path{};                   ///< standard output goes to this file instead of `out`
  size_t interrupt_after = std::string::npos;  ///< SIGINT once so many bytes of output were read
  int interrupt_after_ms = -1;                 ///< SIGINT after so long
  rlim_t max_file_bytes = RLIM_INFINITY;       ///< a write beyond fails, as on a full disk
  rlim_t max_address_bytes = RLIM_INFINITY;    ///< address space: memory of all kinds
  std::string isa{};                           ///< HEARTH_ISA
  std::string folder{};                        ///< where it runs; empty: here
};

namespace tool_detail {

[[noreturn]] inline void exec_tool(const ToolRun& run, int in, int out, int err) {
  dup2(in, 0);
  dup2(run.output_path.empty() ? out : open(run.output_path.c_str(), O_WRONLY), 1);
  dup2(err, 2);
  if (run.max_file_bytes != RLIM_INFINITY) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{run.max_file_bytes, run.max_file_bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (run.max_address_bytes != RLIM_INFINITY) {
    const rlimit limit{run.max_address_bytes, run.max_address_bytes};
    setrlimit(RLIMIT_AS, &limit);
  }
  if (!run.folder.empty() && chdir(run.folder.c_str()) != 0) _exit(127);
  if (!run.isa.empty()) setenv("HEARTH_ISA", run.isa.c_str(), 1);
  std::vector<char*> argv;
  std::string program = hearth::testing::tool_path();
  argv.push_back(program.data());
  std::vector<std::string> args = run.args;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  _exit(127);
}

/// Appends what is there to `text`; false at the end.
inline bool read_some(int fd, std::string& text) {
  char buffer[4096];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n > 0) text.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

}  // namespace tool_detail

/// Runs the tool to its end. Input must fit a pipe (64 KiB).
inline ToolResult run_tool(const ToolRun& run) {
  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) return {};
  const pid_t child = fork();
  if (child == 0) tool_detail::exec_tool(run, in[0], out[1], err[1]);
  for (int fd : {in[0], out[1], err[1]}) close(fd);
  ToolResult result;
  signal(SIGPIPE, SIG_IGN);
  if (!run.input.empty() && write(in[1], run.input.data(), run.input.size()) < 0) result.err = "cannot write the input";
  close(in[1]);
  pollfd fds[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  bool was_interrupted = false;
  int timeout = run.interrupt_after_ms;
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const int ready = poll(fds, 2, timeout);
    const bool is_time = ready == 0 && run.interrupt_after_ms >= 0;
    if (fds[0].fd >= 0 && fds[0].revents && !tool_detail::read_some(out[0], result.out)) fds[0].fd = -1;
    if (fds[1].fd >= 0 && fds[1].revents && !tool_detail::read_some(err[0], result.err)) fds[1].fd = -1;
    if (!was_interrupted && (is_time || result.out.size() >= run.interrupt_after)) {
      kill(child, SIGINT);
      was_interrupted = true;
      timeout = -1;
    }
  }
  close(out[0]);
  close(err[0]);
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  result.max_resident_bytes = int64_t{usage.ru_maxrss} * 1024;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

inline ToolResult run_tool(const std::vector<std::string>& args, const std::string& input = {}) {
  return run_tool(ToolRun{.args = args, .input = input});
}

/// One line on stderr that begins with "hearth: " and contains `what`; nothing on stdout.
inline void expect_one_error_line(const ToolResult& result, const std::string& what, int exit_code = 1) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(result.err.starts_with("hearth: ")) << result.err;
  EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
  EXPECT_NE(result.err.find(what), std::string::npos) << result.err << " does not name " << what;
}

/// A folder of its own for each test, with a tiny model in it; removed at the end.
class ToolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hearth-tool-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    model_ = make_model("tiny-llama-test", "q4_k_m");
  }
  void TearDown() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string make_model(const std::string& shape, const std::string& type) {
    const std::string file = path(shape + "." + type + ".gguf");
    const ToolResult made = run_tool({"make-model", shape, "--type", type, "-o", file});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return file;
  }
  static void write(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  }
  static std::string read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t n_files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
  std::string model_;
};

}  // namespace hearth::testing
