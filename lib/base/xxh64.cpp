// XXH64: four lanes over stripes of 32 bytes, then what is left in steps of 8, 4 and 1.
#include "lib/base/xxh64.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace hearth {
namespace {

constexpr size_t kStripe = 32;
constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87ull;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Full;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9ull;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63ull;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5ull;

/// A little-endian number, as files of this library are.
template <typename T>
uint64_t load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

uint64_t round_of(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

uint64_t join(uint64_t hash, uint64_t lane) {
  return (hash ^ round_of(0, lane)) * kPrime1 + kPrime4;
}

}  // namespace

void Xxh64::reset() {
  lanes_ = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
  n_rest_ = 0;
  total_ = 0;
}

void Xxh64::stripe(const std::byte* bytes) {
  for (size_t i = 0; i < lanes_.size(); ++i) lanes_[i] = round_of(lanes_[i], load<uint64_t>(bytes + 8 * i));
}

void Xxh64::update(std::span<const std::byte> bytes) {
  total_ += bytes.size();
  if (n_rest_ > 0) {
    const size_t n = std::min(kStripe - n_rest_, bytes.size());
    if (n > 0) std::memcpy(rest_.data() + n_rest_, bytes.data(), n);
    bytes = bytes.subspan(n);
    n_rest_ += n;
    if (n_rest_ < kStripe) return;
    stripe(rest_.data());
    n_rest_ = 0;
  }
  for (; bytes.size() >= kStripe; bytes = bytes.subspan(kStripe)) stripe(bytes.data());
  if (!bytes.empty()) std::memcpy(rest_.data(), bytes.data(), bytes.size());
  n_rest_ = bytes.size();
}

uint64_t Xxh64::digest() const {
  uint64_t hash = kPrime5;
  if (total_ >= kStripe) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
    for (const uint64_t lane : lanes_) hash = join(hash, lane);
  }
  hash += total_;
  const std::byte* p = rest_.data();
  const std::byte* end = p + n_rest_;
  for (; end - p >= 8; p += 8) hash = std::rotl(hash ^ round_of(0, load<uint64_t>(p)), 27) * kPrime1 + kPrime4;
  if (end - p >= 4) {
    hash = std::rotl(hash ^ (load<uint32_t>(p) * kPrime1), 23) * kPrime2 + kPrime3;
    p += 4;
  }
  for (; p < end; ++p) hash = std::rotl(hash ^ (load<uint8_t>(p) * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

uint64_t xxh64(std::span<const std::byte> bytes) {
  Xxh64 hash;
  hash.update(bytes);
  return hash.digest();
}

}  // namespace hearth
