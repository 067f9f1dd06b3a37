// Vectors sized by input, without letting a failed allocation end the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace hearth {

/// Reserves room for n elements; false when the system has none. A trial allocation tells, since std::vector can
/// only report failure by an exception.
template <typename T>
[[nodiscard]] bool try_reserve(std::vector<T>& vector, uint64_t n) {
  if (n <= vector.capacity()) return true;
  if (n > SIZE_MAX / 2 / sizeof(T)) return false;
  void* trial = ::operator new(static_cast<size_t>(n) * sizeof(T), std::nothrow);
  if (trial == nullptr) return false;
  ::operator delete(trial);
  vector.reserve(static_cast<size_t>(n));
  return true;
}

}  // namespace hearth
