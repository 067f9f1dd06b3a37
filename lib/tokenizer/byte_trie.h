// ByteTrie: a compact, immutable trie over byte strings.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/heap_bytes.h"

namespace hearth {

class ByteTrie {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFF;
  struct Entry {
    std::string_view text;  ///< not empty; kept only while building
    int32_t value;          ///< not negative
  };
  /// Of entries with the same text the one with the largest value stays.
  explicit ByteTrie(std::vector<Entry> entries = {});

  bool empty() const { return nodes_.size() <= 1; }
  uint32_t root() const { return 0; }
  /// Child of `node` along `byte`, or kNone.
  uint32_t child(uint32_t node, char byte) const {
    if (node == 0) return root_children_[static_cast<uint8_t>(byte)];
    const Node& n = nodes_[node];
    for (uint32_t i = 0; i < n.n_children; ++i) {
      if (labels_[n.first_child + i] == byte) return n.first_child + i;
    }
    return kNone;
  }
  /// Value of the string that ends at `node`, or -1.
  int32_t value(uint32_t node) const { return nodes_[node].value; }
  uint64_t memory_bytes() const { return heap_bytes(nodes_) + heap_bytes(labels_) + heap_bytes(root_children_); }

 private:
  struct Node {
    uint32_t first_child = 0;
    uint32_t n_children = 0;
    int32_t value = -1;
  };
  std::vector<Node> nodes_;
  std::vector<char> labels_;  // by node: the byte that leads to it
  std::vector<uint32_t> root_children_;
};

}  // namespace hearth
