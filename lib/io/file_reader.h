// Reading pieces of a large file without mapping it: for what takes more than memory, or may change under us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "hearth/result.h"

namespace hearth {

/// A regular file, open for reading. Move-only; read_at() may be called from any thread.
class FileReader {
 public:
  /// Errors: kNotFound, kIo.
  static Result<FileReader> open(const std::string& path);
  FileReader(FileReader&& other) noexcept;
  FileReader& operator=(FileReader&& other) noexcept;
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  /// When it was opened.
  uint64_t size() const { return size_; }
  /// Fills `bytes` from `offset` on. kIo names the offset; a file that ends earlier is an error.
  Status read_at(uint64_t offset, std::span<std::byte> bytes) const;
  /// kIo when size or time of the last change are no longer what they were at open().
  Status check_unchanged() const;

 private:
  FileReader() = default;
  [[maybe_unused]] int fd_ = -1;  // a build without files opens none
  std::string path_;
  uint64_t size_ = 0;
  [[maybe_unused]] int64_t changed_seconds_ = 0, changed_nanoseconds_ = 0;
};

}  // namespace hearth
