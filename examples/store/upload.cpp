// Uploads: written into a folder of work, compared, and moved to their place.
#include "upload.h"
#include "system.h"

#include <cerrno>
#include <cstring>

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

/// What stays free on the disk for everybody else.
constexpr uint64_t kSpare = 256 << 20;
/// How often the room that is left is looked at.
constexpr uint64_t kLookEvery = 64 << 20;

Error no_room(const Store& store) {
  return Error{ErrorCode::kLimit, "there is no room for the file in " + store.own()};
}

bool has_room(const Store& store, uint64_t bytes) {
  std::error_code error;
  const auto space = fs::space(path_of(store.own()), error);
  return error || (space.available >= kSpare && space.available - kSpare >= bytes);
}

}  // namespace

Upload::Upload(const Store& store, std::string digest, uint64_t limit)
    : store_(store),
      digest_(std::move(digest)),
      limit_(limit),
      folder_(path_of(store.own())),
      path_(folder_.path() / "blob") {
  file_ = open_file(path_, Open::kAnew);
}

Upload::~Upload() {
  if (file_ >= 0) close_file(file_);
}

Error Upload::write_error() const {
  return Error{ErrorCode::kIo, path_.string() + ": cannot be written: " + std::strerror(errno)};
}

Result<std::unique_ptr<Upload>> Upload::begin(const Store& store, const std::string& digest, int64_t size,
                                              uint64_t limit) {
  if (auto status = store.check_writable(); !status) return status.error();
  if (size >= 0 && static_cast<uint64_t>(size) > limit) {
    return Error{ErrorCode::kLimit,
                 "the file has " + std::to_string(size) + " bytes, but " + std::to_string(limit) + " are the limit"};
  }
  if (!has_room(store, static_cast<uint64_t>(size >= 0 ? size : 0))) return no_room(store);
  std::unique_ptr<Upload> upload(new Upload(store, digest, limit));
  if (auto status = upload->folder_.check(); !status) return status.error();
  if (upload->file_ < 0) return upload->write_error();
  return upload;
}

Status Upload::add(std::string_view bytes) {
  if (bytes.size() > limit_ - size_) {
    return Error{ErrorCode::kLimit, "the file is longer than " + std::to_string(limit_) + " bytes"};
  }
  if (size_ / kLookEvery != (size_ + bytes.size()) / kLookEvery && !has_room(store_, bytes.size())) {
    return no_room(store_);
  }
  sum_.add(bytes.data(), bytes.size());
  size_ += bytes.size();
  if (!write_file(file_, bytes)) return write_error();
  return {};
}

Status Upload::finish() {
  const std::string hex = sum_.hex();
  if (hex != digest_) {
    return Error{ErrorCode::kFormat, "digest mismatch: expected sha256:" + digest_ + ", got sha256:" + hex};
  }
  if (!flush_file(file_)) return write_error();
  std::error_code error;
  fs::rename(path_, store_.blob_path(digest_), error);
  if (error) return Error{ErrorCode::kIo, store_.blob_path(digest_).string() + ": " + error.message()};
  flush_folder(store_.blob_path(digest_).parent_path());
  store_.note_checked(store_.blob_path(digest_), digest_);
  return {};
}

}  // namespace hearth_store
