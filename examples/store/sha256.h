// SHA-256 (FIPS 180-4) of bytes and files, and digests as stores write them: "sha256:" and 64 hexadecimal digits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/result.h"

namespace hearth_store {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;

  void add(const void* bytes, size_t n);
  std::string hex();  ///< 64 digits; nothing may be added afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);

/// Bytes done, and of how many; false stops.
using ByteProgress = std::function<bool(uint64_t done, uint64_t total)>;
/// Of a whole file. kIo, kCancelled.
hearth::Result<std::string> sha256_of_file(const std::string& path, const ByteProgress& progress = {});

/// The digits, in lower case, of "sha256:HEX" or "sha256-HEX"; nothing for anything else.
std::optional<std::string> digest_hex(std::string_view text);

}  // namespace hearth_store
