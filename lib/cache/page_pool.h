// A pool of pages of equal size, counted by references, with the token ids that each page was made from.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/batch.h"
#include "lib/base/buffer.h"

namespace hearth {

class PagePool {
 public:
  /// Cuts the pool's memory out of `layout`; with a counting Layout nothing but the size matters.
  void lay_out(Layout& layout, int64_t n_pages, uint64_t page_bytes);
  /// Frees every page.
  void clear();

  /// A page with one reference, or -1 when none is free. What it holds is undefined.
  int32_t take();
  /// A copy of a page and of its tokens, or -1.
  int32_t take_copy(int32_t page);
  void share(int32_t page) { ++refs_[page]; }
  void release(int32_t page);

  int32_t refs(int32_t page) const { return refs_[page]; }
  int64_t n_pages() const { return n_pages_; }
  int64_t n_free() const { return n_free_; }
  std::byte* bytes(int32_t page) const { return memory_ + static_cast<uint64_t>(page) * page_bytes_; }
  /// [64] ids of the tokens in the slots of a page; those of slots that are not held mean nothing.
  Token* tokens(int32_t page) const { return tokens_ + int64_t{page} * kSlots; }

 private:
  static constexpr int kSlots = 64;
  int64_t n_pages_ = 0, n_free_ = 0;
  uint64_t page_bytes_ = 0;
  std::byte* memory_ = nullptr;
  Token* tokens_ = nullptr;  ///< [n_pages, 64]
  int32_t* refs_ = nullptr;  ///< [n_pages]
  int32_t* free_ = nullptr;  ///< [n_free]
};

}  // namespace hearth
