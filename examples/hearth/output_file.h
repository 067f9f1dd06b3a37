// A file that appears under its name only when it is complete.
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "hearth/result.h"

namespace hearth_tool {

/// Writes to a temporary beside the target, which commit() renames. Devices and pipes (/dev/stdout) are written to
/// directly. An abandoned temporary is removed.
class OutputFile {
 public:
  OutputFile() = default;
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  hearth::Status open(const std::string& path);
  hearth::Status write(std::span<const std::byte> bytes);
  hearth::Status commit();

 private:
  hearth::Error error(const char* what) const;
  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
};

}  // namespace hearth_tool
