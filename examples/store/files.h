// Files of a store: read without leaving it, written whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "hearth/result.h"

namespace hearth_store {

namespace fs = std::filesystem;

/// `path` without links. kNotFound; kFormat when it lies outside of `root`: a link leads there.
hearth::Result<fs::path> inside(const fs::path& root, const fs::path& path);
/// A whole file. kNotFound, kIo; kLimit when it has more than `limit` bytes.
hearth::Result<std::string> read_whole(const fs::path& path, uint64_t limit);
/// Writes beside it, flushes to the disk, and renames: `path` is the old file or the new one, never half of one.
hearth::Status write_whole(const fs::path& path, std::string_view bytes);
/// Makes what write_whole() wrote, or a rename, outlast a failure of power.
void flush_folder(const fs::path& folder);
/// Seconds since 1970; 0 when it is not known.
int64_t modified_seconds(const fs::path& path);

/// What no other thread or process puts into the name of a file that it writes beside another.
std::string unique_text();

/// A folder of a store for what is not finished: under `root`/work, empty at first, removed at the end. Those whose
/// process was killed are removed by the next one.
class WorkFolder {
 public:
  explicit WorkFolder(const fs::path& root);
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;

  /// kIo: it could not be made.
  hearth::Status check() const;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  int lock_ = -1;
  int error_ = 0;  ///< errno
};

/// Held while a store is changed, by one process at a time.
class StoreLock {
 public:
  explicit StoreLock(const fs::path& root);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace hearth_store
