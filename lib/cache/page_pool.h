// A pool of pages of equal size, counted by references, with the token ids that each page was made from.
//
// A page may be known by a key (PrefixIndex). Nobody writes to it then, and when no sequence holds it any more it is
// not free but cold: it keeps what it holds until a page is wanted and no other is free; the one that became cold first
// goes first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

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
  void share(int32_t page);
  void release(int32_t page);
  /// From now on the page is known by a key that is not 0.
  void know(int32_t page, uint64_t key) { key_[page] = key; }
  bool known(int32_t page) const { return key_[page] != 0; }
  /// Is told the keys of cold pages that are taken.
  void on_forget(std::function<void(uint64_t key)> forget) { forget_ = std::move(forget); }

  int32_t refs(int32_t page) const { return refs_[page]; }
  /// Whether its only holder may write to it.
  bool writable(int32_t page) const { return refs_[page] == 1 && key_[page] == 0; }
  int64_t n_pages() const { return n_pages_; }
  /// Pages that take() can give, cold ones included.
  int64_t n_free() const { return n_free_ + n_cold_; }
  int64_t n_cold() const { return n_cold_; }
  std::byte* bytes(int32_t page) const { return memory_ + static_cast<uint64_t>(page) * page_bytes_; }
  /// [64] ids of the tokens in the slots of a page; those of slots that are not held mean nothing.
  Token* tokens(int32_t page) const { return tokens_ + int64_t{page} * kSlots; }

 private:
  static constexpr int kSlots = 64;
  /// Neighbors in the list of cold pages, which is a ring through n_pages_, oldest first.
  struct Links {
    int32_t before, after;
  };
  void make_cold(int32_t page);
  void unlink(int32_t page);

  int64_t n_pages_ = 0, n_free_ = 0, n_cold_ = 0;
  uint64_t page_bytes_ = 0;
  std::byte* memory_ = nullptr;
  Token* tokens_ = nullptr;  ///< [n_pages, 64]
  int32_t* refs_ = nullptr;  ///< [n_pages]
  int32_t* free_ = nullptr;  ///< [n_free]
  uint64_t* key_ = nullptr;  ///< [n_pages] 0: none
  Links* links_ = nullptr;   ///< [n_pages + 1]
  std::function<void(uint64_t key)> forget_;
};

}  // namespace hearth
