// Files of Windows. Paths are UTF-8, whatever the code page of the process is.
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
// after it
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/guard.h"
#include "lib/io/system.h"

namespace hearth::sys {
namespace {

constexpr size_t kMostBytes = size_t{1} << 30;

/// The path in UTF-16; empty, which names no file, when it is no UTF-8.
std::wstring wide(const std::string& path) {
  const int n =
      MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), static_cast<int>(path.size()), nullptr, 0);
  std::wstring text(static_cast<size_t>(std::max(n, 0)), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), static_cast<int>(path.size()), text.data(), n);
  return text;
}

/// errno for the last error of a call that is not the C library's.
void set_errno() {
  switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND: errno = ENOENT; break;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
    case ERROR_USER_MAPPED_FILE: errno = EACCES; break;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS: errno = EEXIST; break;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL: errno = ENOSPC; break;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY: errno = ENOMEM; break;
    default: errno = EIO; break;
  }
}

HANDLE handle_of(int fd) {
  return reinterpret_cast<HANDLE>(_get_osfhandle(fd));
}

/// Where a transfer begins that does not move the descriptor's position.
OVERLAPPED place(uint64_t offset) {
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return at;
}

bool take(const BY_HANDLE_FILE_INFORMATION& from, FileInfo* info) {
  constexpr int64_t kUnitsPerSecond = 10'000'000;
  info->is_folder = (from.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  info->is_regular = !info->is_folder;
  info->bytes = uint64_t{from.nFileSizeHigh} << 32 | from.nFileSizeLow;
  const int64_t changed = int64_t{from.ftLastWriteTime.dwHighDateTime} << 32 | from.ftLastWriteTime.dwLowDateTime;
  info->changed_seconds = changed / kUnitsPerSecond;
  info->changed_nanoseconds = changed % kUnitsPerSecond * 100;
  return true;
}

}  // namespace

int open_to_read(const std::string& path) {
  const std::wstring name = wide(path);
  const int fd = _wopen(name.c_str(), _O_RDONLY | _O_BINARY | _O_NOINHERIT);
  const DWORD kind = fd < 0 && errno == EACCES ? GetFileAttributesW(name.c_str()) : INVALID_FILE_ATTRIBUTES;
  if (kind != INVALID_FILE_ATTRIBUTES && (kind & FILE_ATTRIBUTE_DIRECTORY) != 0) errno = EISDIR;
  return fd;
}
int create(const std::string& path) {
  return _wopen(wide(path).c_str(), _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
}
int create_nameless(const std::string& /*folder*/) {
  return -1;
}
bool give_name(int /*fd*/, const std::string& /*name*/) {
  errno = ENOTSUP;
  return false;
}
int close(int fd) {
  return _close(fd);
}

bool describe(int fd, FileInfo* info) {
  BY_HANDLE_FILE_INFORMATION found;
  const HANDLE handle = handle_of(fd);
  if (GetFileType(handle) != FILE_TYPE_DISK) return *info = {}, true;  // a pipe, a console
  if (GetFileInformationByHandle(handle, &found)) return take(found, info);
  set_errno();
  return false;
}
bool describe(const std::string& path, FileInfo* info) {
  const HANDLE handle = CreateFileW(wide(path).c_str(), 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                    nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  BY_HANDLE_FILE_INFORMATION found;
  const bool known = handle != INVALID_HANDLE_VALUE && GetFileInformationByHandle(handle, &found);
  if (!known) set_errno();
  if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
  return known && take(found, info);
}

int64_t read(int fd, void* bytes, size_t n) {
  return _read(fd, bytes, static_cast<unsigned>(std::min(n, kMostBytes)));
}
int64_t read_at(int fd, void* bytes, size_t n, uint64_t offset) {
  OVERLAPPED at = place(offset);
  DWORD done = 0;
  if (ReadFile(handle_of(fd), bytes, static_cast<DWORD>(std::min(n, kMostBytes)), &done, &at)) return done;
  if (GetLastError() == ERROR_HANDLE_EOF) return 0;
  set_errno();
  return -1;
}
int64_t write(int fd, const void* bytes, size_t n) {
  return _write(fd, bytes, static_cast<unsigned>(std::min(n, kMostBytes)));
}
int64_t write_at(int fd, const void* bytes, size_t n, uint64_t offset) {
  // Unlike pwrite() this moves the position, from where write() goes on.
  const int64_t end = _telli64(fd);
  OVERLAPPED at = place(offset);
  DWORD done = 0;
  const bool written = WriteFile(handle_of(fd), bytes, static_cast<DWORD>(std::min(n, kMostBytes)), &done, &at);
  if (!written) set_errno();
  if (end < 0 || _lseeki64(fd, end, SEEK_SET) < 0 || !written) return -1;
  return done;
}

bool replace(const std::string& from, const std::string& to) {
  if (MoveFileExW(wide(from).c_str(), wide(to).c_str(), MOVEFILE_REPLACE_EXISTING)) return true;
  set_errno();
  return false;
}
void remove(const std::string& path) {
  guard_or(0, [&] { return DeleteFileW(wide(path).c_str()); });
}
std::string resolve(const std::string& path) {
  return path;
}
int64_t process_id() {
  return GetCurrentProcessId();
}

const std::byte* map(int fd, size_t /*bytes*/) {
  const HANDLE mapping = CreateFileMappingW(handle_of(fd), nullptr, PAGE_READONLY, 0, 0, nullptr);
  if (mapping == nullptr) return nullptr;
  const void* mapped = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
  CloseHandle(mapping);
  return static_cast<const std::byte*>(mapped);
}
void unmap(const std::byte* mapped, size_t /*bytes*/) {
  UnmapViewOfFile(mapped);
}
bool map_cached(const std::byte*, size_t) {
  return false;
}
size_t page_bytes() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

}  // namespace hearth::sys
