// The store's part of Windows. Descriptors are those of the C library over handles that let a file be renamed and
// removed while it is open.
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
// after it
#include <fcntl.h>
#include <io.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "system.h"

namespace hearth_store {
namespace {

struct Access {
  DWORD rights, creation;
  int flags;
};

Access access_of(Open how) {
  switch (how) {
    case Open::kRead:
    case Open::kFolder: return {GENERIC_READ, OPEN_EXISTING, _O_RDONLY};
    case Open::kAnew: return {GENERIC_WRITE, CREATE_ALWAYS, 0};
    case Open::kNew: return {GENERIC_WRITE, CREATE_NEW, 0};
    case Open::kKeep: return {GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS, 0};
    case Open::kExisting: return {GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, 0};
    case Open::kAppend: return {FILE_APPEND_DATA | SYNCHRONIZE, OPEN_ALWAYS, _O_APPEND};
  }
  return {};
}

void set_errno() {
  switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND: errno = ENOENT; break;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS: errno = EEXIST; break;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION: errno = EACCES; break;
    case ERROR_DISK_FULL: errno = ENOSPC; break;
    default: errno = EIO; break;
  }
}

HANDLE handle_of(int file) {
  return reinterpret_cast<HANDLE>(_get_osfhandle(file));
}

bool describe(const fs::path& path, BY_HANDLE_FILE_INFORMATION* info) {
  const int file = open_file(path, Open::kRead);
  const bool known = file >= 0 && GetFileInformationByHandle(handle_of(file), info);
  if (file >= 0) _close(file);
  return known;
}

std::string text_of(const BY_HANDLE_FILE_INFORMATION& info) {
  return std::to_string(info.dwVolumeSerialNumber) + " " + std::to_string(info.nFileIndexHigh) + "." +
         std::to_string(info.nFileIndexLow);
}

}  // namespace

int open_file(const fs::path& path, Open how) {
  const Access access = access_of(how);
  const HANDLE handle =
      CreateFileW(path.c_str(), access.rights, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                  access.creation, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  if (handle == INVALID_HANDLE_VALUE) return set_errno(), -1;
  const int file = _open_osfhandle(reinterpret_cast<intptr_t>(handle), access.flags | _O_BINARY | _O_NOINHERIT);
  if (file < 0) CloseHandle(handle);
  return file;
}

int open_nameless(const fs::path& /*folder*/) {
  return -1;
}

bool name_file(int /*file*/, const fs::path& /*name*/) {
  errno = ENOTSUP;
  return false;
}

void close_file(int file) {
  _close(file);
}

bool write_file(int file, std::string_view bytes) {
  constexpr size_t kMost = size_t{1} << 30;
  while (!bytes.empty()) {
    const int n = _write(file, bytes.data(), static_cast<unsigned>(std::min(bytes.size(), kMost)));
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool flush_file(int file) {
  return _commit(file) == 0;
}

bool lock_file(int file, bool wait) {
  OVERLAPPED at{};
  const DWORD flags = LOCKFILE_EXCLUSIVE_LOCK | (wait ? 0u : LOCKFILE_FAIL_IMMEDIATELY);
  // Far behind the bytes, which others may go on reading.
  at.OffsetHigh = 0x7FFFFFFF;
  return LockFileEx(handle_of(file), flags, 0, 1, 0, &at) != 0;
}

bool cut_file(int file, uint64_t size) {
  return _chsize_s(file, static_cast<int64_t>(size)) == 0 && _lseeki64(file, 0, SEEK_END) >= 0;
}

uint64_t go_to_end(int file) {
  return static_cast<uint64_t>(std::max<int64_t>(_lseeki64(file, 0, SEEK_END), 0));
}

bool share_blocks(const fs::path& /*from*/, const fs::path& /*to*/) {
  return false;
}

std::string inode_of(const fs::path& path) {
  BY_HANDLE_FILE_INFORMATION info;
  return describe(path, &info) ? text_of(info) : std::string();
}

std::string identity_of(const fs::path& path) {
  BY_HANDLE_FILE_INFORMATION info;
  if (!describe(path, &info)) return {};
  const uint64_t size = uint64_t{info.nFileSizeHigh} << 32 | info.nFileSizeLow;
  const uint64_t time = uint64_t{info.ftLastWriteTime.dwHighDateTime} << 32 | info.ftLastWriteTime.dwLowDateTime;
  return std::to_string(size) + " " + std::to_string(time) + " " + text_of(info);
}

int64_t process_id() {
  return GetCurrentProcessId();
}

std::string environment(const char* name) {
  const wchar_t* value = _wgetenv(fs::path(name).c_str());
  if (value == nullptr) return {};
  const int n = WideCharToMultiByte(CP_UTF8, 0, value, -1, nullptr, 0, nullptr, nullptr);  // with the zero at its end
  std::string text(static_cast<size_t>(std::max(n, 1)), '\0');
  WideCharToMultiByte(CP_UTF8, 0, value, -1, text.data(), n, nullptr, nullptr);
  text.pop_back();
  return text;
}

std::string home_folder() {
  const std::string home = environment("HOME");  // of a Unix shell
  return !home.empty() ? home : environment("USERPROFILE");
}

uint64_t memory_limit() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? status.ullAvailPhys : std::numeric_limits<uint64_t>::max();
}

std::tm local_time(std::time_t time) {
  std::tm parts{};
  ::localtime_s(&parts, &time);
  return parts;
}

}  // namespace hearth_store
