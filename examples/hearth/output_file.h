// A file that appears under its name only when it is complete.
#pragma once

#include <cstdio>
#include <filesystem>
#include <span>
#include <string>

#include "hearth/result.h"

namespace hearth_tool {

/// Writes to a file without a name in the target's folder, which gets one in commit(): nothing is left of it however
/// the process ends. Where the file system has no such files, to a temporary beside the target, which is removed when
/// abandoned. Devices and pipes (/dev/stdout) are written to directly.
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
  std::filesystem::path temporary_name() const;
  std::string path_;  ///< as it was given, for messages
  std::filesystem::path target_, temporary_;
  bool is_unnamed_ = false;
  std::FILE* file_ = nullptr;
};

}  // namespace hearth_tool
