// The bytes of a whole file: mapped, read into memory, or borrowed from the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "hearth/result.h"

namespace hearth {

/// Read-only bytes that stay at one address until destruction. Move-only; const members may be called from any
/// thread. The address of owned bytes is a multiple of 64 at least.
///
/// A mapped file must not be shortened by another process while it is open: the system then kills readers of the
/// missing pages (SIGBUS). Files that may change under us are opened with use_mmap = false.
class FileBytes {
 public:
  /// Opens a regular file. Where the system cannot map it, it is read instead. Errors: kNotFound, kIo (not a regular
  /// file, unreadable), kOutOfMemory.
  static Result<FileBytes> open(const std::string& path, bool use_mmap);
  /// Reads the first n bytes, or the whole file where that is shorter; `file_bytes` is set to the size of the file.
  static Result<FileBytes> read_head(const std::string& path, uint64_t n, uint64_t* file_bytes);
  /// Views memory of the caller.
  static FileBytes borrow(std::span<const std::byte> bytes);
  /// Owns a copy. kOutOfMemory.
  static Result<FileBytes> copy_of(std::span<const std::byte> bytes);

  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  ~FileBytes();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  size_t size() const { return size_; }
  bool is_mapped() const { return kind_ == Kind::kMapped; }

 private:
  enum class Kind { kBorrowed, kMapped, kHeap };
  FileBytes(Kind kind, const std::byte* data, size_t size) : kind_(kind), data_(data), size_(size) {}
  static Result<FileBytes> read_all(int fd, const std::string& path, size_t size);
  void release();

  Kind kind_ = Kind::kBorrowed;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Reads one byte of each page, so that a mapping is resident when this returns. The result is meaningless; it is
/// there so that the reads are not optimized away.
unsigned touch_pages(std::span<const std::byte> bytes);

/// Enters the pages of a mapping that the system has in memory into the page table in one go, which takes a small part
/// of the time that a fault for each of them would when they are read first. Stops, and returns false, where one has to
/// come from a disk (not all of it may be needed), or the system has no such call.
bool map_cached_pages(std::span<const std::byte> bytes);

}  // namespace hearth
