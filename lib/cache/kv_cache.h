// The paged KV cache behind hearth::KVCache: pools of pages, page tables, reference counts.
//
// Layers with equal windows form a group with its own pool, because a sliding window needs fewer pages. A page holds
// 64 positions of every layer of its group. Entry i of a sequence's table covers positions 64 i .. 64 i + 63; its mask
// says which are held. Which bytes a page has inside is the kernels' business (store_kv, attend_page).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hearth/batch.h"
#include "hearth/kv_cache.h"
#include "kernels/kernel_table.h"
#include "lib/base/buffer.h"

namespace hearth {

/// Sizes of one layer's cells.
struct CacheLayer {
  int n_kv_heads = 0;
  int k_dim = 0;
  int v_dim = 0;
  int window = 0;            ///< 0: everything stays visible
  int same_as = -1;          ///< >= 0: the cells of that earlier layer are this one's too
  int64_t state_floats = 0;  ///< > 0: a recurrent layer, which keeps a state a sequence and no cells
};

struct CacheOptions {
  int64_t n_ctx = 0;
  int n_seqs = 1;
  int n_batch = 1;
  KVType k_type = KVType::kF16;
  KVType v_type = KVType::kF16;
};

/// One entry of a page table.
struct PageRef {
  int32_t page = -1;  ///< -1: nothing held
  uint64_t mask = 0;  ///< bit t: position 64 i + t is held
};

struct KVCache::Impl {
  /// Layers with the same window, their pool and their tables.
  struct Group {
    int window = 0;
    int64_t n_pages = 0;
    uint64_t page_bytes = 0;  ///< of all layers of the group
    std::byte* memory = nullptr;
    std::vector<int32_t> refs;  ///< [n_pages]
    std::vector<int32_t> free_pages;
    std::vector<std::vector<PageRef>> tables;  ///< [n_seqs][n_ctx / 64]
    std::vector<int32_t> dropped;              ///< [n_seqs] positions below this have left the window
  };
  /// Where a layer's cells lie in a page of its group.
  struct LayerPlace {
    int group = -1;
    uint64_t offset = 0;  ///< bytes from the page's start
    uint64_t head_bytes_k = 0;
    uint64_t head_bytes_v = 0;
    int n_kv_heads = 0;
    int64_t state_offset = 0;  ///< floats from the start of a sequence's state
  };

  /// Bytes that create() will allocate. Sizes were checked by read_hparams and Session::create.
  static uint64_t bytes_needed(std::span<const CacheLayer> layers, const CacheOptions& options);
  static Result<std::unique_ptr<Impl>> create(std::span<const CacheLayer> layers, const CacheOptions& options);

  /// Whether a decode() of several batches can succeed, before its first reserve().
  Status check_room(std::span<const BatchToken> batch) const;
  /// Makes room for these tokens, copying shared pages that they write to, and marks their positions as held. On error
  /// (kInvalidArgument: a position out of range or taken; kContextFull) nothing has changed.
  Status reserve(std::span<const BatchToken> batch);
  /// Takes back the positions of a reserve() whose computation failed.
  void unreserve(std::span<const BatchToken> batch);

  const std::vector<PageRef>& table(int layer, SeqId seq) const;
  kernels::KvPage page(int layer, int32_t page, int kv_head) const;

  /// State of a recurrent layer. What a sequence begins with is not set here: position 0 starts from zeros.
  float* state(int layer, SeqId seq) const;

  void clear();
  Status remove(SeqId seq, int32_t p0, int32_t p1);
  Status copy(SeqId from, SeqId to, int32_t p0, int32_t p1);
  int32_t length(SeqId seq) const;
  bool contains(SeqId seq, int32_t pos) const;
  KVCacheStats stats() const;

  CacheOptions options;
  std::vector<Group> groups;
  std::vector<LayerPlace> layers;
  int64_t state_floats = 0;  ///< of all recurrent layers of a sequence; 0: there are none
  float* states = nullptr;   ///< [n_seqs, state_floats]
  AlignedBuffer memory;

 private:
  Status check(std::span<const BatchToken> batch) const;
  int64_t pages_wanted(const Group& group, std::span<const BatchToken> batch) const;
  int64_t pages_leaving(const Group& group, std::span<const BatchToken> batch) const;
  void drop_outside_window(Group& group, std::span<const BatchToken> batch);
  int32_t take_page(Group& group);
  void release(Group& group, PageRef& ref);
  void make_writable(Group& group, PageRef& ref);
  Status check_range(SeqId seq, int32_t& p0, int32_t& p1) const;
};

}  // namespace hearth
