// One file, over as many connections as it takes.
#include "download.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "sha256.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 46;

/// The file that grows, held by one process at a time.
class Partial {
 public:
  explicit Partial(fs::path path) : path_(std::move(path)) {
    std::error_code error;
    fs::create_directories(path_.parent_path(), error);
    file_ = open_file(path_, Open::kKeep);
    if (file_ >= 0 && !lock_file(file_, false)) {
      close_file(file_);
      file_ = -1;
      is_busy_ = true;
    }
    if (file_ >= 0) size_ = go_to_end(file_);
  }
  ~Partial() {
    if (file_ >= 0) close_file(file_);
  }
  Partial(const Partial&) = delete;

  Status check() const {
    if (is_busy_) return Error{ErrorCode::kIo, path_.string() + ": another process is fetching this file"};
    if (file_ < 0) return Error{ErrorCode::kIo, path_.string() + ": cannot be written: " + std::strerror(errno)};
    return {};
  }
  uint64_t size() const { return size_; }
  const fs::path& path() const { return path_; }
  bool append(std::string_view bytes) {
    if (!write_file(file_, bytes)) return false;
    size_ += bytes.size();
    return true;
  }
  /// Down to so many bytes.
  bool cut(uint64_t size) {
    const bool ok = cut_file(file_, size);
    size_ = ok ? size : size_;
    return ok;
  }
  bool flush() { return flush_file(file_); }

 private:
  fs::path path_;
  int file_ = -1;
  bool is_busy_ = false;
  uint64_t size_ = 0;
};

class Downloader {
 public:
  Downloader(const Store& store, const Remote& remote, const PullOptions& options, PullState& state)
      : store_(store), remote_(remote), options_(options), state_(state) {}

  Result<Layer> run() {
    state_.digest = remote_.digest.empty() ? "" : "sha256:" + remote_.digest;
    state_.status = "pulling " + (remote_.digest.empty() ? remote_.title : remote_.digest.substr(0, 12));
    state_.done = 0;
    state_.total = static_cast<uint64_t>(std::max<int64_t>(remote_.size, 0));
    if (auto known = take_known()) return std::move(*known);
    // Without a digest the address and what its server calls this version of the file name the partial file.
    const std::string key = remote_.digest.empty() ? "url-" + sha256_hex(remote_.ask.url) : "sha256-" + remote_.digest;
    const fs::path path = path_of(store_.own()) / "blobs" / (key + ".partial");
    Partial file(path);
    if (auto status = file.check(); !status) return status.error();
    if (remote_.digest.empty()) {  // what is there is gone on with if the server still has the same version
      version_file_ = path.string() + ".version";
      if (auto version = read_whole(version_file_, 1024)) version_ = *version;
      if (version_.empty() && !file.cut(0)) return write_error(file);
    }
    const uint64_t before = state_.all_done;
    auto status = fetch(file);
    if (!status) return status.error();
    state_.all_done = before + file.size();
    return finish(file);
  }

 private:
  bool tell() { return !options_.progress || options_.progress(state_); }

  /// The file, if a store has it already.
  std::optional<Layer> take_known() {
    if (remote_.digest.empty()) return std::nullopt;
    const fs::path path = store_.find_blob(remote_.digest);
    std::error_code error;
    if (path.empty()) return std::nullopt;
    const uint64_t size = fs::file_size(path, error);
    if (error || (remote_.size >= 0 && size != static_cast<uint64_t>(remote_.size))) return std::nullopt;
    state_.done = state_.total = size;
    state_.all_done += size;
    (void)tell();
    return Layer{remote_.kind, remote_.digest, size, "", remote_.title};
  }

  Status fetch(Partial& file) {
    if (remote_.size >= 0 && file.size() > static_cast<uint64_t>(remote_.size) && !file.cut(0))
      return write_error(file);
    const uint64_t all_before = state_.all_done;
    int tries = 0;
    double wait = options_.first_wait;
    while (remote_.size < 0 || file.size() < static_cast<uint64_t>(remote_.size)) {
      const uint64_t before = file.size();
      Status status = fetch_some(file, all_before);
      if (status) return {};
      const bool may_go_on = status.error().code == ErrorCode::kIo && !is_final_;
      if (!may_go_on) return status;
      tries = file.size() > before ? 0 : tries + 1;
      if (file.size() > before) wait = options_.first_wait;
      if (tries >= options_.n_tries) return status;
      // A short sleep that notices when it is asked to stop.
      for (double slept = 0; slept < wait; slept += 0.05) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (!tell()) return Error{ErrorCode::kCancelled, "fetching was stopped"};
      }
      wait = std::min(wait * 2, 8.0);
    }
    return {};
  }

  /// One connection. kIo: it was cut.
  Status fetch_some(Partial& file, uint64_t all_before) {
    HttpAsk ask = remote_.ask;
    ask.offset = file.size();
    if (ask.offset > 0 && !version_.empty()) ask.headers.push_back("If-Range: " + version_);
    Status problem;
    std::string complaint;
    bool is_error = false, stopped = false;
    const auto see = [&](const HttpTold& told) {
      is_error = told.status != 200 && told.status != 206;
      if (is_error) return true;  // its words are read
      problem = begin(told, file);
      return static_cast<bool>(problem);
    };
    const auto take = [&](std::string_view bytes) {
      if (is_error) {
        if (complaint.size() < 300) complaint += bytes.substr(0, 300);
        return true;
      }
      if (file.size() + bytes.size() > most_) {
        problem =
            Error{ErrorCode::kFormat, "the server sends more than the " + std::to_string(most_) + " bytes of the file"};
        return false;
      }
      if (!file.append(bytes)) {
        problem = write_error(file);
        return false;
      }
      state_.done = file.size();
      state_.all_done = all_before + file.size();
      stopped = !tell();
      return !stopped;
    };
    const auto told = http_get(ask, see, take, [&] { return !tell(); });
    if (!problem) {
      is_final_ = true;
      if (problem.error().code == ErrorCode::kFormat) (void)file.cut(0);
      return problem;
    }
    if (stopped) return Error{ErrorCode::kCancelled, "fetching was stopped"};
    if (!told) return told.error();
    if (is_error) return answer_error(told->status, complaint, file);
    if (total_ >= 0 && file.size() < static_cast<uint64_t>(total_))
      return Error{ErrorCode::kIo, "the connection was cut after " + std::to_string(file.size()) + " bytes"};
    if (remote_.size >= 0 && file.size() != static_cast<uint64_t>(remote_.size)) {
      const uint64_t size = file.size();
      (void)file.cut(0);
      is_final_ = true;
      return Error{ErrorCode::kFormat, "the server sends " + std::to_string(size) + " bytes, but " +
                                           std::to_string(remote_.size) + " were promised"};
    }
    return {};
  }

  /// Looks at the head: where the body begins, how long the whole is.
  Status begin(const HttpTold& told, Partial& file) {
    const bool is_wrong_part = told.status == 206 && told.offset != file.size();
    if (is_wrong_part)
      return Error{ErrorCode::kFormat, "the server sends another part of the file than it was asked for"};
    if (told.status == 200 && file.size() > 0 && !file.cut(0))
      return write_error(file);  // all of it, from the beginning
    total_ = told.total;
    if (remote_.size >= 0 && total_ >= 0 && total_ != remote_.size) {
      return Error{ErrorCode::kFormat, "the server has " + std::to_string(total_) + " bytes, but " +
                                           std::to_string(remote_.size) + " were promised"};
    }
    const int64_t size = remote_.size >= 0 ? remote_.size : total_;
    if (size > static_cast<int64_t>(kMostBytes)) return Error{ErrorCode::kLimit, "the file is too large to be true"};
    most_ = size >= 0 ? static_cast<uint64_t>(size) : kMostBytes;
    state_.total = size >= 0 ? most_ : 0;
    std::error_code error;
    const auto space = fs::space(path_of(store_.own()), error);
    if (!error && size >= 0 && space.available < most_ - std::min(most_, file.size())) {
      return Error{ErrorCode::kLimit, "there is no room for it: " + std::to_string(space.available >> 20) +
                                          " MiB are free in " + store_.own() + ", " + std::to_string(most_ >> 20) +
                                          " MiB are wanted"};
    }
    const auto etag = told.headers.find("etag");
    if (etag != told.headers.end() && !etag->second.starts_with("W/") && etag->second != version_) {
      version_ = etag->second;
      if (!version_file_.empty()) (void)write_whole(version_file_, version_);
    }
    if (const auto linked = told.headers.find("x-linked-etag");
        linked != told.headers.end() && remote_.digest.empty()) {
      std::string hex = linked->second;
      std::erase(hex, '"');
      if (const auto digest = digest_hex("sha256:" + hex)) promised_ = *digest;
    }
    return {};
  }

  Status answer_error(long status, std::string complaint, Partial& file) {
    if (status == 416) {  // nothing is left, or the file is another now
      if (remote_.size >= 0 || file.size() == 0) {
        is_final_ = true;
        return Error{ErrorCode::kFormat, "the server has a shorter file than was promised"};
      }
      if (!file.cut(0)) return write_error(file);
      return Error{ErrorCode::kIo, "the file on the server is another than before"};
    }
    complaint.erase(std::min(complaint.find('\n'), complaint.size()));
    const std::string said =
        "the server answers " + std::to_string(status) + (complaint.empty() ? "" : ": " + complaint);
    const bool may_pass = status == 408 || status == 429 || status >= 500;
    is_final_ = !may_pass;
    const ErrorCode code = may_pass ? ErrorCode::kIo : status == 404 ? ErrorCode::kNotFound : ErrorCode::kIo;
    return Error{code, said};
  }

  static Error write_error(const Partial& file) {
    return Error{ErrorCode::kIo, file.path().string() + ": cannot be written: " + std::strerror(errno)};
  }

  Result<Layer> finish(Partial& file) {
    state_.status = "verifying sha256 digest";
    state_.done = state_.total = file.size();
    if (!tell()) return Error{ErrorCode::kCancelled, "fetching was stopped"};
    if (!file.flush()) return write_error(file);
    const auto hex = sha256_of_file(file.path().string(), [&](uint64_t, uint64_t) { return tell(); });
    if (!hex) return hex.error();
    const std::string& promised = remote_.digest.empty() ? promised_ : remote_.digest;
    std::error_code error;
    if (!promised.empty() && *hex != promised) {
      fs::remove(file.path(), error);
      return Error{ErrorCode::kFormat, "what came is not what was promised: its digest is sha256:" +
                                           hex->substr(0, 12) + "..., not sha256:" + promised.substr(0, 12) + "..."};
    }
    if (!version_file_.empty()) fs::remove(version_file_, error);
    fs::rename(file.path(), store_.blob_path(*hex), error);
    if (error) return Error{ErrorCode::kIo, store_.blob_path(*hex).string() + ": " + error.message()};
    flush_folder(store_.blob_path(*hex).parent_path());
    store_.note_checked(store_.blob_path(*hex), *hex);
    return Layer{remote_.kind, *hex, file.size(), "", remote_.title};
  }

  const Store& store_;
  const Remote& remote_;
  const PullOptions& options_;
  PullState& state_;
  std::string version_;    ///< of the file, as its server calls it
  fs::path version_file_;  ///< where that is kept for another process; empty: the digest says enough
  std::string promised_;   ///< a digest that the answer named
  int64_t total_ = -1;
  uint64_t most_ = kMostBytes;
  bool is_final_ = false;  ///< the last error is none that another try could mend
};

}  // namespace

Result<Layer> download(const Store& store, const Remote& remote, const PullOptions& options, PullState& state) {
  return Downloader(store, remote, options, state).run();
}

}  // namespace hearth_store
