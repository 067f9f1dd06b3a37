// XXH64, a fast hash for finding damage (not tampering), after its specification (xxHash fast digest algorithm, version
// 0.2.0, section "XXH64 Algorithm Description").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hearth {

/// Hash of bytes that come in pieces; the pieces' borders do not matter. Seed 0.
class Xxh64 {
 public:
  Xxh64() { reset(); }
  void reset();
  void update(std::span<const std::byte> bytes);
  /// Of everything since reset(); more may follow.
  uint64_t digest() const;

 private:
  void stripe(const std::byte* bytes);

  std::array<uint64_t, 4> lanes_{};
  std::array<std::byte, 32> rest_{};  ///< bytes that do not fill a stripe yet
  size_t n_rest_ = 0;
  uint64_t total_ = 0;
};

uint64_t xxh64(std::span<const std::byte> bytes);

}  // namespace hearth
