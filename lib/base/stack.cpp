// Bounds of the calling thread's stack, which grows downwards on every system that hearth runs on.
#include "lib/base/stack.h"

#include <algorithm>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#elif defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace hearth {
namespace {

constexpr uintptr_t kReserve = 48u << 10;  // for functions that do not recurse
constexpr uintptr_t kMost = 1u << 20;      // deeper recursion serves nobody
constexpr uintptr_t kAssumed = 64u << 10;  // where the bounds are unknown

struct Bounds {
  uintptr_t low = 0, high = 0;
};

Bounds bounds_of_thread() {
#if defined(__linux__)
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  void* low = nullptr;
  size_t size = 0;
  const bool known = pthread_attr_getstack(&attributes, &low, &size) == 0;
  pthread_attr_destroy(&attributes);
  if (!known) return {};
  return {reinterpret_cast<uintptr_t>(low), reinterpret_cast<uintptr_t>(low) + size};
#elif defined(__APPLE__)
  const auto high = reinterpret_cast<uintptr_t>(pthread_get_stackaddr_np(pthread_self()));
  return {high - pthread_get_stacksize_np(pthread_self()), high};
#elif defined(_WIN32)
  ULONG_PTR low = 0, high = 0;
  GetCurrentThreadStackLimits(&low, &high);
  return {low, high};
#else
  return {};
#endif
}

}  // namespace

uintptr_t stack_floor() {
  static thread_local const Bounds bounds = bounds_of_thread();
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (here <= bounds.low || here >= bounds.high) return here - kAssumed;
  return std::max(bounds.low + kReserve, here - kMost);
}

}  // namespace hearth
