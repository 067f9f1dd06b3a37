// One aligned block of memory that a failed allocation reports instead of throwing, and a layout that cuts such a block
// into arrays, first to count the bytes and then to hand them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "hearth/result.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEARTH_POISONS_GAPS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEARTH_POISONS_GAPS 1
#endif
#endif
#ifdef HEARTH_POISONS_GAPS
#include <sanitizer/asan_interface.h>
#endif

namespace hearth {

/// Zeroed memory straight from the operating system: pages that are never touched cost nothing.
class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~AlignedBuffer();
  /// kOutOfMemory names `what`.
  static Result<AlignedBuffer> allocate(uint64_t bytes, const char* what);

  std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  void swap(AlignedBuffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

/// Cuts a block into arrays. With a null base it only counts, so the plan and the allocation are the same code. Under
/// AddressSanitizer a gap that must not be touched follows every array: the block is one mapping, in which an overflow
/// would otherwise go unseen.
class Layout {
 public:
  explicit Layout(std::byte* base) : base_(base) {}
  template <typename T>
  T* take(int64_t n) {
    std::byte* at = base_ ? base_ + used_ : nullptr;
    const uint64_t bytes = static_cast<uint64_t>(n) * sizeof(T);
    used_ += (bytes + AlignedBuffer::kAlignment - 1) / AlignedBuffer::kAlignment * AlignedBuffer::kAlignment;
#ifdef HEARTH_POISONS_GAPS
    used_ += AlignedBuffer::kAlignment;
    if (base_) ASAN_UNPOISON_MEMORY_REGION(at, bytes);
    if (base_) ASAN_POISON_MEMORY_REGION(at + bytes, static_cast<size_t>(base_ + used_ - at) - bytes);
#endif
    return static_cast<T*>(static_cast<void*>(at));
  }
  uint64_t used() const {
    return used_;
  }

 private:
  std::byte* base_;
  uint64_t used_ = 0;
};

}  // namespace hearth
