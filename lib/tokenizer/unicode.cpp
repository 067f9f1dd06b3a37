// Look-ups in the Unicode tables: two-stage for categories, binary search for the rest.
#include "lib/tokenizer/unicode.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <vector>

namespace hearth::unicode {
namespace {

struct LowerRun {
  uint32_t first, last, step;
  int32_t delta;
};
struct BaseRun {
  uint32_t first, last, base;
};

#include "lib/tokenizer/unicode_tables.inc"

constexpr uint32_t kBlockBits = 7;
constexpr uint32_t kBlockSize = 1u << kBlockBits;
constexpr uint32_t kBlocks = 0x110000u >> kBlockBits;
constexpr uint16_t kUniform = 0x8000;  // a block of one category, held in the low bits

/// Blocks of 128 code points: either uniform or an index into the stored blocks.
struct CategoryTable {
  std::array<uint16_t, kBlocks> block_of;
  std::vector<std::array<uint8_t, kBlockSize>> blocks;

  CategoryTable() {
    size_t run = 0;
    for (uint32_t block = 0; block < kBlocks; ++block) {
      const uint32_t first = block << kBlockBits;
      while (run + 1 < std::size(kCategoryRuns) && kCategoryRuns[run + 1] >> 4 <= first) ++run;
      const bool uniform = run + 1 == std::size(kCategoryRuns) || kCategoryRuns[run + 1] >> 4 >= first + kBlockSize;
      block_of[block] = uniform ? static_cast<uint16_t>(kUniform | (kCategoryRuns[run] & 15)) : add_block(first, run);
    }
  }

  uint16_t add_block(uint32_t first, size_t run) {
    std::array<uint8_t, kBlockSize>& block = blocks.emplace_back();
    for (uint32_t i = 0; i < kBlockSize; ++i) {
      while (run + 1 < std::size(kCategoryRuns) && kCategoryRuns[run + 1] >> 4 <= first + i) ++run;
      block[i] = static_cast<uint8_t>(kCategoryRuns[run] & 15);
    }
    return static_cast<uint16_t>(blocks.size() - 1);
  }
};

const CategoryTable& category_table() {
  static const CategoryTable table;
  return table;
}

/// The run that may hold `code_point`: the last one that begins at or before it; nullptr when there is none.
template <typename Run, size_t N>
const Run* find_run(const Run (&runs)[N], uint32_t code_point) {
  const Run* after = std::upper_bound(std::begin(runs), std::end(runs), code_point,
                                      [](uint32_t value, const Run& run) { return value < run.first; });
  if (after == std::begin(runs)) return nullptr;
  return code_point <= after[-1].last ? after - 1 : nullptr;
}

}  // namespace

CharCategory category(uint32_t code_point) {
  if (code_point > 0x10FFFF) return CharCategory::kUnassigned;
  const CategoryTable& table = category_table();
  const uint16_t entry = table.block_of[code_point >> kBlockBits];
  if (entry & kUniform) return static_cast<CharCategory>(entry & 15);
  return static_cast<CharCategory>(table.blocks[entry][code_point & (kBlockSize - 1)]);
}

uint32_t lower(uint32_t code_point) {
  if (code_point < 0x80) return code_point - 'A' < 26 ? code_point + 32 : code_point;
  const LowerRun* run = find_run(kLowerRuns, code_point);
  if (run == nullptr || (code_point - run->first) % run->step != 0) return code_point;
  return static_cast<uint32_t>(static_cast<int64_t>(code_point) + run->delta);
}

uint32_t base_letter(uint32_t code_point) {
  if (code_point < 0xC0) return code_point;
  constexpr uint32_t kHangulFirst = 0xAC00, kHangulCount = 11172, kLeadFirst = 0x1100, kPerLead = 588;
  if (code_point - kHangulFirst < kHangulCount) return kLeadFirst + (code_point - kHangulFirst) / kPerLead;
  const BaseRun* run = find_run(kBaseRuns, code_point);
  return run ? run->base : code_point;
}

}  // namespace hearth::unicode
