// In place of the files beside it where a build has no files (HEARTH_FILES=OFF): bytes in memory are all there is, and
// every path is kUnsupported.
#include <cstring>
#include <new>
#include <utility>

#include "lib/base/concat.h"
#include "lib/io/atomic_file.h"
#include "lib/io/file_bytes.h"
#include "lib/io/file_reader.h"

namespace hearth {
namespace {

constexpr std::align_val_t kHeapAlignment{64};

Error no_files(const std::string& path) {
  return Error{ErrorCode::kUnsupported, path + ": this build of hearth has no files, only bytes in memory"};
}

}  // namespace

Result<FileBytes> FileBytes::open(const std::string& path, bool) {
  return no_files(path);
}
Result<FileBytes> FileBytes::read_head(const std::string& path, uint64_t, uint64_t*) {
  return no_files(path);
}
FileBytes FileBytes::borrow(std::span<const std::byte> bytes) {
  return FileBytes(Kind::kBorrowed, bytes.data(), bytes.size());
}
Result<FileBytes> FileBytes::copy_of(std::span<const std::byte> bytes) {
  const size_t n = bytes.empty() ? 1 : bytes.size();
  auto* copy = static_cast<std::byte*>(::operator new(n, kHeapAlignment, std::nothrow));
  if (copy == nullptr) {
    return Error{ErrorCode::kOutOfMemory, concat("cannot allocate ", n, " bytes for a copy")};
  }
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  return FileBytes(Kind::kHeap, copy, bytes.size());
}
FileBytes::FileBytes(FileBytes&& other) noexcept
    : kind_(std::exchange(other.kind_, Kind::kBorrowed)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}
FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  if (this == &other) return *this;
  release();
  kind_ = std::exchange(other.kind_, Kind::kBorrowed);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}
FileBytes::~FileBytes() {
  release();
}
void FileBytes::release() {
  if (kind_ == Kind::kHeap) ::operator delete(const_cast<std::byte*>(data_), kHeapAlignment);
}
unsigned touch_pages(std::span<const std::byte>) {
  return 0;
}
bool map_cached_pages(std::span<const std::byte>) {
  return false;
}

Result<FileReader> FileReader::open(const std::string& path) {
  return no_files(path);
}
FileReader::FileReader(FileReader&& other) noexcept = default;
FileReader& FileReader::operator=(FileReader&& other) noexcept = default;
FileReader::~FileReader() = default;
Status FileReader::read_at(uint64_t, std::span<std::byte>) const {
  return no_files(path_);
}
Status FileReader::check_unchanged() const {
  return no_files(path_);
}

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  return no_files(path);
}
AtomicFile::AtomicFile(AtomicFile&& other) noexcept = default;
AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept = default;
AtomicFile::~AtomicFile() = default;
Status AtomicFile::write(std::span<const std::byte>) {
  return no_files(path_);
}
Status AtomicFile::overwrite(uint64_t, std::span<const std::byte>) {
  return no_files(path_);
}
Status AtomicFile::commit() {
  return no_files(path_);
}

}  // namespace hearth
