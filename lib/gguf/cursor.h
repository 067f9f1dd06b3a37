// A bounds-checked reading position in bytes, for GGUF's little-endian scalars and length-prefixed strings.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace hearth {

static_assert(std::endian::native == std::endian::little, "hearth reads files in place: little-endian hosts only");

/// Reads a scalar at any alignment.
template <typename T>
T load_unaligned(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// Never reads past the end: a failed read returns false and leaves the position where it was.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t offset() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }
  const std::byte* here() const { return bytes_.data() + position_; }

  template <typename T>
  bool read(T& value) {
    if (remaining() < sizeof(T)) return false;
    value = load_unaligned<T>(here());
    position_ += sizeof(T);
    return true;
  }

  bool skip(uint64_t n_bytes) {
    if (remaining() < n_bytes) return false;
    position_ += static_cast<size_t>(n_bytes);
    return true;
  }

  /// A 64-bit length, then that many characters; `text` is a view into the bytes.
  bool read_string(std::string_view& text) {
    if (remaining() < sizeof(uint64_t)) return false;
    const uint64_t length = load_unaligned<uint64_t>(here());
    if (length > remaining() - sizeof(uint64_t)) return false;
    text = {reinterpret_cast<const char*>(here() + sizeof(uint64_t)), static_cast<size_t>(length)};
    position_ += sizeof(uint64_t) + static_cast<size_t>(length);
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace hearth
