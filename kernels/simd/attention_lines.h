// What attention prefetches while it computes.
#pragma once

#include <cstdint>

namespace hearth::kernels {
namespace {

/// Prefetches what comes next, line by line, about as fast as elements are used.
struct NextLines {
  const char* at;
  int64_t left;

  NextLines(const void* first, int64_t bytes)
      : at(static_cast<const char*>(first)), left(first != nullptr ? (bytes + 63) / 64 : 0) {}
  void line() {
    if (left <= 0) return;
    __builtin_prefetch(at, 0, 2);
    at += 64;
    --left;
  }
};

}  // namespace
}  // namespace hearth::kernels
