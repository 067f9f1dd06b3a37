// A program that is given a text and prints another. One file implements this for each kind of system
// (child_program_posix.cpp, child_program_windows.cpp).
#pragma once

#include <cstddef>
#include <string>

#include "hearth/result.h"

namespace hearth_tool {

struct ProgramEnd {
  std::string output;  ///< what it printed on standard output; what is beyond the limit is dropped
  int code = 0;        ///< that it ended with; -1: a signal ended it
};
inline constexpr size_t kMostProgramOutput = 64 << 10;

/// Runs a command by the system's shell with the text on its standard input, and waits for it. kIo: it cannot be
/// started.
hearth::Result<ProgramEnd> run_program(const std::string& command, const std::string& input_text);

}  // namespace hearth_tool
