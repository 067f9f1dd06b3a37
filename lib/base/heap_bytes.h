// Heap bytes behind containers, for memory plans.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth {

template <typename T>
uint64_t heap_bytes(const std::vector<T>& list) {
  return uint64_t{list.capacity()} * sizeof(T);
}
inline uint64_t heap_bytes(const std::string& text) {
  return text.capacity();
}

}  // namespace hearth
