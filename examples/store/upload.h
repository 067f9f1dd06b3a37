// Files that come into a store piece by piece, from whoever sends them: a blob appears when it is whole and has the
// digest that was promised, never before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store.h"

namespace hearth_store {

/// One thread at a time.
class Upload {
 public:
  /// `digest`: 64 digits. `size`: bytes that will come, -1: nobody knows. kLimit: there is no room for them, or they
  /// are more than `limit`; kUnsupported: the store has no folder of its own; kIo.
  static hearth::Result<std::unique_ptr<Upload>> begin(const Store& store, const std::string& digest, int64_t size,
                                                       uint64_t limit);
  ~Upload();

  /// kLimit as above; kIo.
  hearth::Status add(std::string_view bytes);
  /// kFormat: what came has another digest; nothing of it stays.
  hearth::Status finish();

 private:
  Upload(const Store& store, std::string digest, uint64_t limit);
  hearth::Error write_error() const;

  const Store& store_;
  const std::string digest_;
  const uint64_t limit_;
  WorkFolder folder_;
  fs::path path_;
  Sha256 sum_;
  uint64_t size_ = 0;
  int file_ = -1;
};

}  // namespace hearth_store
