// Look-up by name: a list of indices sorted by name. Sorting, unlike hashing, has no bad case that a file can provoke.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace hearth {

/// Indices of `items` sorted by the member `name`; equal names keep the order of the items.
template <typename Item>
std::vector<uint32_t> index_by_name(const std::vector<Item>& items, std::string_view Item::*name) {
  std::vector<uint32_t> index(items.size());
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<uint32_t>(i);
  std::sort(index.begin(), index.end(), [&](uint32_t a, uint32_t b) {
    const int order = (items[a].*name).compare(items[b].*name);
    return order != 0 ? order < 0 : a < b;
  });
  return index;
}

/// nullptr when no item has the name.
template <typename Item>
const Item* find_by_name(const std::vector<Item>& items, const std::vector<uint32_t>& index,
                         std::string_view Item::*name, std::string_view wanted) {
  const auto found = std::lower_bound(index.begin(), index.end(), wanted,
                                      [&](uint32_t i, std::string_view text) { return items[i].*name < text; });
  if (found == index.end() || items[*found].*name != wanted) return nullptr;
  return &items[*found];
}

/// The second of the first two items that share a name; nullptr when all names differ.
template <typename Item>
const Item* find_duplicate(const std::vector<Item>& items, const std::vector<uint32_t>& index,
                           std::string_view Item::*name) {
  for (size_t i = 1; i < index.size(); ++i) {
    if (items[index[i]].*name == items[index[i - 1]].*name) return &items[index[i]];
  }
  return nullptr;
}

}  // namespace hearth
