// Mapping and reading of whole files.
#include "lib/io/file_bytes.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "lib/base/concat.h"
#include "lib/io/os_error.h"
#include "lib/io/system.h"

namespace hearth {
namespace {

constexpr std::align_val_t kHeapAlignment{64};

/// Closes a descriptor at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) sys::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// nullptr when there is no memory. `size` may be 0.
std::byte* allocate(size_t size) {
  return static_cast<std::byte*>(::operator new(size > 0 ? size : 1, kHeapAlignment, std::nothrow));
}

Error no_memory(const std::string& path, size_t size) {
  return Error{ErrorCode::kOutOfMemory, concat(path, ": no memory for the file's ", size, " bytes")};
}

}  // namespace

FileBytes FileBytes::borrow(std::span<const std::byte> bytes) {
  return FileBytes(Kind::kBorrowed, bytes.data(), bytes.size());
}

Result<FileBytes> FileBytes::copy_of(std::span<const std::byte> bytes) {
  std::byte* copy = allocate(bytes.size());
  if (copy == nullptr) return no_memory("memory", bytes.size());
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  return FileBytes(Kind::kHeap, copy, bytes.size());
}

namespace {

/// Opens a regular file for reading and tells its size; the descriptor is -1 after an error.
Result<int> open_regular(const std::string& path, size_t* size) {
  if (path.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "a path must not contain a NUL character"};
  }
  const int fd = sys::open_to_read(path);
  if (fd < 0) return os_error(path, "cannot open", errno);
  sys::FileInfo info;
  Error error;
  if (!sys::describe(fd, &info)) {
    error = os_error(path, "cannot stat", errno);
  } else if (info.is_folder) {
    error = os_error(path, "cannot open as a file", EISDIR);
  } else if (!info.is_regular) {
    error = Error{ErrorCode::kIo, path + ": is not a regular file"};
  } else if (info.bytes > SIZE_MAX / 2) {
    error = no_memory(path, SIZE_MAX);
  } else {
    *size = static_cast<size_t>(info.bytes);
    return fd;
  }
  sys::close(fd);
  return error;
}

}  // namespace

Result<FileBytes> FileBytes::open(const std::string& path, bool use_mmap) {
  size_t size = 0;
  const Result<int> fd = open_regular(path, &size);
  if (!fd) return fd.error();
  const Descriptor file(*fd);
  if (use_mmap && size > 0) {
    const std::byte* mapped = sys::map(file.get(), size);
    if (mapped != nullptr) return FileBytes(Kind::kMapped, mapped, size);
  }
  return read_all(file.get(), path, size);
}

Result<FileBytes> FileBytes::read_head(const std::string& path, uint64_t n, uint64_t* file_bytes) {
  size_t size = 0;
  const Result<int> fd = open_regular(path, &size);
  if (!fd) return fd.error();
  const Descriptor file(*fd);
  *file_bytes = size;
  return read_all(file.get(), path, static_cast<size_t>(std::min<uint64_t>(n, size)));
}

Result<FileBytes> FileBytes::read_all(int fd, const std::string& path, size_t size) {
  std::byte* memory = allocate(size);
  if (memory == nullptr) return no_memory(path, size);
  FileBytes file(Kind::kHeap, memory, size);
  size_t done = 0;
  while (done < size) {
    const int64_t got = sys::read(fd, memory + done, size - done);
    if (got < 0) return os_error(path, concat("cannot read at offset ", done), errno);
    if (got == 0) {
      return Error{ErrorCode::kIo, concat(path, ": shrank to ", done, " bytes while it was read")};
    }
    done += static_cast<size_t>(got);
  }
  return file;
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : kind_(std::exchange(other.kind_, Kind::kBorrowed)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  if (this != &other) {
    release();
    kind_ = std::exchange(other.kind_, Kind::kBorrowed);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

FileBytes::~FileBytes() {
  release();
}

void FileBytes::release() {
  if (kind_ == Kind::kMapped) sys::unmap(data_, size_);
  if (kind_ == Kind::kHeap) ::operator delete(const_cast<std::byte*>(data_), kHeapAlignment);
  kind_ = Kind::kBorrowed;
}

bool map_cached_pages(std::span<const std::byte> bytes) {
  return bytes.empty() || sys::map_cached(bytes.data(), bytes.size());
}

unsigned touch_pages(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  const size_t step = sys::page_bytes();
  const volatile std::byte* data = bytes.data();
  for (size_t i = 0; i < bytes.size(); i += step) sum += static_cast<unsigned>(data[i]);
  if (!bytes.empty()) sum += static_cast<unsigned>(data[bytes.size() - 1]);
  return sum;
}

}  // namespace hearth
