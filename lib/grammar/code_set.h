// Sets of code points as sorted ranges.
#pragma once

#include <cstdint>
#include <vector>

namespace hearth::grammar {

inline constexpr uint32_t kMaxCode = 0x10FFFF;

struct CodeRange {
  uint32_t lo, hi;  ///< both inclusive
  bool operator==(const CodeRange&) const = default;
};

/// Ranges are ascending, disjoint and not adjacent.
class CodeSet {
 public:
  CodeSet() = default;
  CodeSet(uint32_t lo, uint32_t hi) { add(lo, hi); }
  static CodeSet all() { return {0, kMaxCode}; }

  void add(uint32_t lo, uint32_t hi);
  void add(uint32_t code) { add(code, code); }
  void add(const CodeSet& other);
  CodeSet inverted() const;
  CodeSet common(const CodeSet& other) const;
  bool contains(uint32_t code) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<CodeRange>& ranges() const { return ranges_; }
  bool operator==(const CodeSet&) const = default;

 private:
  std::vector<CodeRange> ranges_;
};

}  // namespace hearth::grammar
