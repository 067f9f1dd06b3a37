// StringTable: an open-addressing hash table from byte strings to ids; the strings stay where they are.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/heap_bytes.h"

namespace hearth {

/// First bytes of a string as a number (little-endian, zero-padded) and a hash of all of it.
struct StringKey {
  uint64_t head;
  uint64_t hash;

  explicit StringKey(std::string_view text) {
    const char* p = text.data();
    const size_t n = text.size();
    uint64_t tail;
    if (n >= 8) {
      std::memcpy(&head, p, 8);
      std::memcpy(&tail, p + n - 8, 8);
      hash = mix(head ^ kSeed, tail ^ n);
      for (size_t i = 8; i + 8 < n; i += 8) {
        uint64_t middle;
        std::memcpy(&middle, p + i, 8);
        hash = mix(hash ^ middle, kSeed);
      }
      return;
    }
    head = 0;
    if (n >= 4) {
      uint32_t low, high;
      std::memcpy(&low, p, 4);
      std::memcpy(&high, p + n - 4, 4);
      head = low | static_cast<uint64_t>(high) << (8 * (n - 4));
    } else if (n > 0) {
      head = static_cast<uint8_t>(p[0]) | static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << (8 * (n / 2)) |
             static_cast<uint64_t>(static_cast<uint8_t>(p[n - 1])) << (8 * (n - 1));
    }
    hash = mix(head ^ kSeed, n + 1);
  }

  static uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t x = (a ^ std::rotl(b * 0xD6E8FEB86659FD93u, 32)) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93u;
    return x ^ x >> 29;
  }
  static constexpr uint64_t kSeed = 0xA0761D6478BD642Fu;
};

class StringTable {
 public:
  /// Room for `n` strings at a load of at most one half. Call once, before insert().
  void reserve(size_t n);
  /// Adds `text` (kept by reference) with `id`, in place of the id that it had. Returns that one, or -1.
  int32_t insert(std::string_view text, int32_t id);

  /// Id of `text`, or -1.
  int32_t find(std::string_view text) const { return find(text, StringKey(text)); }
  int32_t find(std::string_view text, const StringKey& key) const {
    if (slots_.empty()) return -1;
    for (size_t i = static_cast<size_t>(key.hash) & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.id < 0) return -1;
      if (slot.head == key.head && slot.size == text.size() && same_rest(slot, text)) return slot.id;
    }
  }
  /// Brings the row of a coming look-up into the cache.
  void prefetch(const StringKey& key) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[static_cast<size_t>(key.hash) & mask_]);
  }
  size_t size() const { return size_; }
  uint64_t memory_bytes() const { return heap_bytes(slots_) + heap_bytes(texts_); }

 private:
  /// Strings of at most 8 bytes are wholly in `head`.
  struct Slot {
    uint64_t head = 0;
    uint32_t size = 0;
    int32_t id = -1;
  };
  bool same_rest(const Slot& slot, std::string_view text) const {
    return text.size() <= 8 ||
           std::memcmp(texts_[static_cast<size_t>(slot.id)] + 8, text.data() + 8, text.size() - 8) == 0;
  }

  std::vector<Slot> slots_;
  std::vector<const char*> texts_;  // by id
  size_t mask_ = 0;
  size_t size_ = 0;
};

}  // namespace hearth
