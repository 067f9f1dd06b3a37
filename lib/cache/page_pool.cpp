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
  key_ = layout.take<uint64_t>(n_pages);
  links_ = layout.take<Links>(n_pages + 1);
}

void PagePool::clear() {
  std::fill_n(refs_, n_pages_, 0);
  std::fill_n(key_, n_pages_, uint64_t{0});
  const auto head = static_cast<int32_t>(n_pages_);
  links_[head] = {head, head};
  n_cold_ = 0;
  n_free_ = n_pages_;
  for (int64_t i = 0; i < n_pages_; ++i) free_[i] = static_cast<int32_t>(n_pages_ - 1 - i);
}

void PagePool::make_cold(int32_t page) {
  const auto head = static_cast<int32_t>(n_pages_);
  const int32_t newest = links_[head].before;
  links_[page] = {newest, head};
  links_[newest].after = page;
  links_[head].before = page;
  ++n_cold_;
}

void PagePool::unlink(int32_t page) {
  links_[links_[page].before].after = links_[page].after;
  links_[links_[page].after].before = links_[page].before;
  --n_cold_;
}

int32_t PagePool::take() {
  int32_t page = -1;
  if (n_free_ > 0) {
    page = free_[--n_free_];
  } else if (n_cold_ > 0) {
    page = links_[n_pages_].after;
    unlink(page);
    if (forget_) forget_(key_[page]);
    key_[page] = 0;
  } else {
    return -1;
  }
  refs_[page] = 1;
  return page;
}

void PagePool::share(int32_t page) {
  if (refs_[page]++ == 0) unlink(page);
}

int32_t PagePool::take_copy(int32_t page) {
  const int32_t copy = take();
  if (copy < 0) return -1;
  std::memcpy(bytes(copy), bytes(page), static_cast<size_t>(page_bytes_));
  std::copy_n(tokens(page), kSlots, tokens(copy));
  return copy;
}

void PagePool::release(int32_t page) {
  if (--refs_[page] > 0) return;
  if (known(page)) {
    make_cold(page);
  } else {
    free_[n_free_++] = page;
  }
}

}  // namespace hearth
