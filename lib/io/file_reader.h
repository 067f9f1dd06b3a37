// Reads parts of a file where they are needed: for input that is larger than memory, or may change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "hearth/result.h"

namespace hearth {

/// A regular file. Reading is const and may be done from any thread. Move-only.
class FileReader {
 public:
  /// kNotFound, kIo (unreadable, not a regular file).
  static Result<FileReader> open(const std::string& path);
  FileReader(FileReader&& other) noexcept;
  FileReader& operator=(FileReader&& other) noexcept;
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  /// When it was opened.
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  /// Fills `out`. kIo names the offset, also where the file has become shorter.
  Status read(uint64_t offset, std::span<std::byte> out) const;

 private:
  FileReader() = default;

  int fd_ = -1;
  uint64_t size_ = 0;
  std::string path_;
};

}  // namespace hearth
