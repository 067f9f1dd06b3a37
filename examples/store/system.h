// What a store asks of the operating system beyond std::filesystem: descriptors that are flushed and locked, files
// without names. One file implements this for each kind of system (system_posix.cpp, system_windows.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>

namespace hearth_store {

namespace fs = std::filesystem;

/// The path that a text in UTF-8 names; std::filesystem alone takes texts for the code page of the system.
inline fs::path path_of(std::string_view text) {
  return fs::path(std::u8string(text.begin(), text.end()));
}

enum class Open {
  kRead,
  kFolder,    ///< to be flushed
  kAnew,      ///< written from its beginning, what was in it goes
  kNew,       ///< written; EEXIST where the name is taken
  kKeep,      ///< read and written, made where it is missing
  kExisting,  ///< the same, ENOENT where it is missing
  kAppend,    ///< written at its end, made where it is missing, of this user alone
};
/// A descriptor that child processes do not get; -1: errno. While it is open the file may be renamed and removed.
int open_file(const fs::path& path, Open how);
/// One for a file without a name, which is gone when the process ends; -1 where the system has none.
int open_nameless(const fs::path& folder);
/// Gives it one. False: errno.
bool name_file(int file, const fs::path& name);
void close_file(int file);

/// All of it. False: errno.
bool write_file(int file, std::string_view bytes);
/// To the disk. False: errno.
bool flush_file(int file);
/// False when another process holds it and this does not wait.
bool lock_file(int file, bool wait);
/// Makes it so long and goes to its end. False: errno.
bool cut_file(int file, uint64_t size);
/// Goes to its end; its size.
uint64_t go_to_end(int file);

/// Fills `to` with the blocks of `from`, which take no further space. False where the file system does not share.
bool share_blocks(const fs::path& from, const fs::path& to);
/// Two names of one file have the same; empty when it is not known.
std::string inode_of(const fs::path& path);
/// Changes with the file's bytes: size, time and inode; empty when it is not known.
std::string identity_of(const fs::path& path);

int64_t process_id();
/// The value of a variable of the environment, in UTF-8; empty where it is missing.
std::string environment(const char* name);
/// The user's folder; empty when the environment names none.
std::string home_folder();
/// Bytes that the system lets this process have, as far as it says; UINT64_MAX otherwise.
uint64_t memory_limit();
/// The time of this place.
std::tm local_time(std::time_t time);

}  // namespace hearth_store
