// Programs of POSIX systems, started by sh.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "child_program.h"

namespace hearth_tool {
namespace {

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
    text.append(buffer, std::min(static_cast<size_t>(n), kMostProgramOutput - text.size()));
  }
}

}  // namespace

hearth::Result<ProgramEnd> run_program(const std::string& command, const std::string& input_text) {
  std::FILE* input = file_of(input_text);
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
  ProgramEnd end{read_all(ends[0]), 0};
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return end;
}

}  // namespace hearth_tool
