// Building of the trie, level by level over the sorted strings.
#include "lib/tokenizer/byte_trie.h"

#include <algorithm>

namespace hearth {

ByteTrie::ByteTrie(std::vector<Entry> entries) : root_children_(256, kNone) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.text != b.text ? a.text < b.text : a.value < b.value; });
  struct Range {
    uint32_t begin, end, depth;  // the entries below a node share their first `depth` bytes
  };
  std::vector<Range> ranges{{0, static_cast<uint32_t>(entries.size()), 0}};  // by node
  nodes_.emplace_back();
  labels_.push_back(0);
  for (size_t node = 0; node < ranges.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    while (begin < end && entries[begin].text.size() == depth) nodes_[node].value = entries[begin++].value;
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (begin < end) {
      const char byte = entries[begin].text[depth];
      uint32_t next = begin;
      while (next < end && entries[next].text[depth] == byte) ++next;
      if (node == 0) root_children_[static_cast<uint8_t>(byte)] = static_cast<uint32_t>(nodes_.size());
      ++nodes_[node].n_children;
      nodes_.emplace_back();
      labels_.push_back(byte);
      ranges.push_back({begin, next, depth + 1});
      begin = next;
    }
  }
}

}  // namespace hearth
