// Where golden data lies, and how a test skips when it is not there.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/paths.h"

namespace hearth::testing {

/// $HEARTH_GOLDEN, or shared/golden beside the checkout.
inline std::filesystem::path golden_dir() {
  if (const char* dir = std::getenv("HEARTH_GOLDEN"); dir && *dir) return dir;
  return std::filesystem::path(hearth::testing::source_dir()).parent_path() / "shared" / "golden";
}

/// Sorted paths of golden_dir()/folder whose names end with `suffix`; empty when the folder is absent.
inline std::vector<std::filesystem::path> golden_files(const std::string& folder, std::string_view suffix) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir() / folder, error)) {
    if (entry.path().filename().string().ends_with(suffix)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Whole file as bytes; empty when it cannot be read.
inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace hearth::testing
