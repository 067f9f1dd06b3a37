// Programs of Windows, started by cmd. What they are given passes through a file.
#include <stdio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "../store/files.h"
#include "child_program.h"

namespace hearth_tool {

namespace fs = std::filesystem;

hearth::Result<ProgramEnd> run_program(const std::string& command, const std::string& input_text) {
  std::error_code error;
  const fs::path input = fs::temp_directory_path(error) / ("hearth-" + std::to_string(std::random_device()()) + ".txt");
  if (auto written = hearth_store::write_whole(input, input_text); !written) return written.error();
  std::FILE* program = ::_popen(("(" + command + ") < \"" + input.string() + '"').c_str(), "rb");
  if (program == nullptr) {
    fs::remove(input, error);
    return hearth::Error{hearth::ErrorCode::kIo, std::string("no process: ") + std::strerror(errno)};
  }
  ProgramEnd end;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, program)) > 0;) {
    end.output.append(buffer, std::min(n, kMostProgramOutput - end.output.size()));
  }
  end.code = ::_pclose(program);
  fs::remove(input, error);
  return end;
}

}  // namespace hearth_tool
