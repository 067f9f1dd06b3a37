// Starting a program and reading what it prints.
#include "tool_programs.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hearth_tool {
namespace {

constexpr size_t kMaxOutput = 64 << 10;

hearth::Error failure(const std::string& what) {
  return {hearth::ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

/// A file without a name that holds the text, to be read from its beginning; null when there is no room.
std::FILE* file_of(const std::string& text) {
  std::FILE* file = std::tmpfile();
  if (!file) return nullptr;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
  if (written && ::lseek(::fileno(file), 0, SEEK_SET) == 0) return file;
  std::fclose(file);
  return nullptr;
}

/// All that comes until the other end closes; what is beyond the limit is dropped.
std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, std::min(static_cast<size_t>(n), kMaxOutput - text.size()));
  }
}

}  // namespace

hearth::Result<ToolPrograms> ToolPrograms::parse(const std::vector<std::string>& pairs) {
  ToolPrograms programs;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return hearth::Error{hearth::ErrorCode::kInvalidArgument, "--exec " + pair + ": NAME=COMMAND is expected"};
    }
    programs.commands_[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return programs;
}

hearth::Result<std::string> ToolPrograms::run(const std::string& name, const std::string& arguments_json) const {
  const std::string& command = commands_.at(name);
  std::FILE* input = file_of(arguments_json);
  if (!input) return failure("the arguments cannot be written");
  int ends[2];
  if (::pipe(ends) != 0) return std::fclose(input), failure("no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::fileno(input), STDIN_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(ends[1]);
  std::fclose(input);
  if (child < 0) return ::close(ends[0]), failure("no process");
  std::string text = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  while (text.ends_with('\n')) text.pop_back();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  const std::string code = WIFEXITED(status) ? std::to_string(WEXITSTATUS(status)) : "a signal";
  return hearth::Error{hearth::ErrorCode::kIo, name + ": the command ended with " + code};
}

}  // namespace hearth_tool
