// Allocations of the test program that fail on demand, all of them counted: what the operators of failing_operators.h
// do.
#pragma once

#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace hearth::testing {

/// Which allocations fail, of those made while it lives, by any thread.
class FailingAllocator {
 public:
  enum class Mode { kOnce, kFromThenOn };
  /// The n-th allocation fails (1 is the first; 0: none), once or with all that follow.
  explicit FailingAllocator(int64_t n, Mode mode = Mode::kOnce) {
    count = 0;
    fail_at = n;
    from_then_on = mode == Mode::kFromThenOn;
    armed = true;
  }
  ~FailingAllocator() { armed = false; }
  FailingAllocator(const FailingAllocator&) = delete;
  FailingAllocator& operator=(const FailingAllocator&) = delete;

  /// Allocations tried so far.
  static int64_t tried() { return count; }
  /// Blocks that are allocated and not freed, since the program began.
  static int64_t live() { return n_live; }

  static bool fails() {
    if (!armed) return false;
    const int64_t i = ++count;
    return fail_at > 0 && (from_then_on ? i >= fail_at : i == fail_at);
  }

  /// Nothing fails while it lives, for what a test does between.
  class Pause {
   public:
    Pause() : was_(armed.exchange(false)) {}
    ~Pause() { armed = was_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    const bool was_;
  };

  static inline std::atomic<bool> armed{false}, from_then_on{false};
  static inline std::atomic<int64_t> count{0}, fail_at{0}, n_live{0};
};

inline void* allocate_or_fail(size_t bytes, size_t alignment) {
  if (FailingAllocator::fails()) return nullptr;
  void* memory = alignment > 16 ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                                : std::malloc(bytes > 0 ? bytes : 1);
  if (memory != nullptr) ++FailingAllocator::n_live;
  return memory;
}
inline void* allocate_or_throw(size_t bytes, size_t alignment) {
  void* memory = allocate_or_fail(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
inline void release(void* memory) {
  if (memory != nullptr) --FailingAllocator::n_live;
  std::free(memory);
}

}  // namespace hearth::testing
