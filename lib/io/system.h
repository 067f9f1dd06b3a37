// The operating system's files, as the sources beside it call them: descriptors, errno, and paths in UTF-8 everywhere.
// One file implements this for each kind of system (system_posix.cpp, system_windows.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hearth::sys {

struct FileInfo {
  bool is_regular = false, is_folder = false;
  uint64_t bytes = 0;
  int64_t changed_seconds = 0, changed_nanoseconds = 0;
};

/// -1: errno. Opening a pipe does not wait for a writer.
int open_to_read(const std::string& path);
/// -1: errno, EEXIST where the name is taken.
int create(const std::string& path);
/// A file without a name in a folder, which goes with the process however that ends; -1 where the system has none.
int create_nameless(const std::string& folder);
/// Gives it one; false when the name is taken or the system refuses: errno.
bool give_name(int fd, const std::string& name);
/// 0, or -1: errno.
int close(int fd);

/// False: errno.
bool describe(int fd, FileInfo* info);
bool describe(const std::string& path, FileInfo* info);

/// Bytes read, which may be fewer than n, 0 at the end; or -1: errno.
int64_t read(int fd, void* bytes, size_t n);
int64_t read_at(int fd, void* bytes, size_t n, uint64_t offset);
/// The same of bytes written. A file that would pass the size limit of the process is an error (EFBIG), no signal.
int64_t write(int fd, const void* bytes, size_t n);
int64_t write_at(int fd, const void* bytes, size_t n, uint64_t offset);

/// Puts a file in the place of another. False: errno.
bool replace(const std::string& from, const std::string& to);
void remove(const std::string& path);
/// The path with symbolic links resolved when it exists, so that a link survives replace().
std::string resolve(const std::string& path);
int64_t process_id();

/// A whole file, read only; nullptr where the system does not map it.
const std::byte* map(int fd, size_t bytes);
void unmap(const std::byte* mapped, size_t bytes);
/// Enters pages of a mapping into the page table. False, and stops, where one has to come from a disk or the system
/// cannot.
bool map_cached(const std::byte* mapped, size_t bytes);
size_t page_bytes();

}  // namespace hearth::sys
