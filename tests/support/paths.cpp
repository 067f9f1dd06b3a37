#include "tests/support/paths.h"

#include "tests/support/learn_folder.h"

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
std::string learn_folder() {
  return HEARTH_LEARN;
}

}  // namespace hearth::testing
