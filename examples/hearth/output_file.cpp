// Writing through a file without a name, or a temporary.
#include "output_file.h"

#include <cerrno>
#include <cstring>

#include "../store/system.h"

namespace hearth_tool {

using hearth::Status;
namespace fs = std::filesystem;

hearth::Error OutputFile::error(const char* what) const {
  return {hearth::ErrorCode::kIo, path_ + ": " + what + ": " + std::strerror(errno)};
}

OutputFile::~OutputFile() {
  if (file_) std::fclose(file_);
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove(temporary_, ignored);
}

Status OutputFile::open(const std::string& path) {
  path_ = path;
  target_ = hearth_store::path_of(path);
  std::error_code unknown;
  const bool is_special = fs::exists(target_, unknown) && !fs::is_regular_file(target_, unknown);
  if (is_special) {
    file_ = std::fopen(path.c_str(), "wb");
    return file_ ? Status() : Status(error("cannot be created"));
  }
  int file = hearth_store::open_nameless(target_.has_parent_path() ? target_.parent_path() : fs::path("."));
  is_unnamed_ = file >= 0;
  const fs::path beside = temporary_name();
  if (file < 0) file = hearth_store::open_file(beside, hearth_store::Open::kNew);
  if (file >= 0) file_ = ::fdopen(file, "wb");
  if (!file_) {
    const hearth::Error failure = error("cannot be created");
    if (file >= 0) hearth_store::close_file(file);
    return failure;
  }
  if (!is_unnamed_) temporary_ = beside;
  return {};
}

fs::path OutputFile::temporary_name() const {
  fs::path name = target_;
  name += ".tmp-" + std::to_string(hearth_store::process_id());
  return name;
}

Status OutputFile::write(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return error("cannot be written");
  return {};
}

Status OutputFile::commit() {
  const bool was_flushed = std::fflush(file_) == 0;
  if (!was_flushed) return error("cannot be written");
  if (is_unnamed_) {
    const fs::path temporary = temporary_name();
    if (!hearth_store::name_file(::fileno(file_), temporary)) return error("cannot be named");
    temporary_ = temporary;
  }
  const bool was_closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (!was_closed) return error("cannot be written");
  if (temporary_.empty()) return {};
  std::error_code failed;
  fs::rename(temporary_, target_, failed);
  errno = failed.value();
  if (failed) return error("cannot be renamed into place");
  temporary_.clear();
  return {};
}

}  // namespace hearth_tool
