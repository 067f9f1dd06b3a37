// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "hearth/result.h"

namespace hearth {

/// Writes front to back into a temporary beside the target, which commit() renames over it. Without a successful
/// commit() the temporary is removed and an older file of that name stays as it was. Where the system can (Linux), the
/// temporary has no name, so that nothing is left however the process ends; elsewhere a signal that ends it leaves
/// TARGET.tmp-PID-N. A file that passes the size limit of the process is an error (SIGXFSZ is not raised). Errors are
/// kIo (kNotFound for a folder that does not exist) and name the path and the system's reason; after one, every call
/// repeats it. Not synchronized with the disk: a power failure soon after commit() may lose the data. One thread at a
/// time.
class AtomicFile {
 public:
  /// `path` may exist as a regular file or a link to one, and is then replaced at commit().
  static Result<AtomicFile> create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Appends; small pieces are collected before they reach the system.
  Status write(std::span<const std::byte> bytes);
  /// Replaces bytes that were written before: offset + bytes.size() <= offset().
  Status overwrite(uint64_t offset, std::span<const std::byte> bytes);
  /// Bytes written so far.
  uint64_t offset() const { return offset_; }
  Status commit();

 private:
  AtomicFile() = default;
  Status write_through(std::span<const std::byte> bytes);
  Status flush();
  Status give_name();
  Status fail(Error error);
  void discard();

  int fd_ = -1;
  std::string path_;       ///< as the caller named it, for messages
  std::string target_;     ///< with links resolved
  std::string temporary_;  ///< empty while it has no name, and once it is renamed or removed
  std::unique_ptr<std::byte[]> buffer_;
  size_t buffered_ = 0;
  uint64_t offset_ = 0;
  Status status_;
};

}  // namespace hearth
