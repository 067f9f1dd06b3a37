#include "tests/support/paths.h"

namespace hearth::testing {

std::string source_dir() {
  return HEARTH_SOURCE_DIR;
}
std::string tool_path() {
  return HEARTH_TOOL;
}
std::string first_programs_folder() {
  return HEARTH_FIRST_PROGRAMS;
}

}  // namespace hearth::testing
