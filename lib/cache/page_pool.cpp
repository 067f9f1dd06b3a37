// References and the list of free pages.
#include "lib/cache/page_pool.h"

#include <algorithm>
#include <cstring>

namespace hearth {

void PagePool::lay_out(Layout& layout, int64_t n_pages, uint64_t page_bytes) {
  n_pages_ = n_pages;
  page_bytes_ = page_bytes;
  memory_ = layout.take<std::byte>(n_pages * static_cast<int64_t>(page_bytes));
  tokens_ = layout.take<Token>(n_pages * kSlots);
  refs_ = layout.take<int32_t>(n_pages);
  free_ = layout.take<int32_t>(n_pages);
}

void PagePool::clear() {
  std::fill_n(refs_, n_pages_, 0);
  n_free_ = n_pages_;
  for (int64_t i = 0; i < n_pages_; ++i) free_[i] = static_cast<int32_t>(n_pages_ - 1 - i);
}

int32_t PagePool::take() {
  if (n_free_ == 0) return -1;
  const int32_t page = free_[--n_free_];
  refs_[page] = 1;
  return page;
}

int32_t PagePool::take_copy(int32_t page) {
  const int32_t copy = take();
  if (copy < 0) return -1;
  std::memcpy(bytes(copy), bytes(page), page_bytes_);
  std::copy_n(tokens(page), kSlots, tokens(copy));
  return copy;
}

void PagePool::release(int32_t page) {
  if (--refs_[page] == 0) free_[n_free_++] = page;
}

}  // namespace hearth
