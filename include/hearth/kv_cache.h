// KVCache: the attention keys and values of every sequence of a session, in pages that sequences can share.
//
// A page holds kPageTokens positions of all layers of one window group; a sequence is a table of pages; pages
// are reference-counted and copied when a shared one is written.
//
//   hearth::Status shared = session.cache().copy(0, 1);         // sequence 1 continues from 0, sharing its pages
//   hearth::Status removed = session.cache().remove(1, 10, -1); // forget positions 10 and later
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "hearth/batch.h"
#include "hearth/result.h"

namespace hearth {

/// How the elements of cached keys or values are stored.
enum class KVType : uint8_t { kF32, kF16, kBF16, kQ8_0, kQ5_1, kQ5_0, kQ4_1, kQ4_0, kIQ4_NL };

/// Every type, in the order of the enum. Empty when memory is out.
std::vector<KVType> list_kv_types();
/// "f32", "f16", ...
const char* kv_type_name(KVType type);
/// The type of that name; kInvalidArgument lists the known ones.
Result<KVType> parse_kv_type(std::string_view name);
/// Bytes of the keys (or the values) of one position of one KV head with `dim` elements.
uint64_t kv_position_bytes(KVType type, int64_t dim);

/// Statistics of a cache.
struct KVCacheStats {
  int64_t pages_total = 0;
  int64_t pages_used = 0;    ///< referenced by at least one sequence
  int64_t pages_shared = 0;  ///< referenced by more than one
  int64_t pages_kept = 0;    ///< referenced by none, but kept for prefixes that come again while nobody wants the room
  uint64_t bytes_total = 0;
};

/// Owned by a Session; not thread-safe, not to be changed while decode() runs.
class KVCache {
 public:
  static constexpr int kPageTokens = 64;
  /// Positions that sliding windows keep beyond their width, so that rollback() finds them.
  static constexpr int kRollbackTokens = 64;

  KVCache(KVCache&&) noexcept;
  KVCache& operator=(KVCache&&) noexcept;
  ~KVCache();

  /// Forgets every sequence.
  void clear();
  /// Forgets positions [p0, p1) of a sequence; p1 < 0 means to the end. kInvalidArgument for a bad
  /// sequence or range; kUnsupported when it would have to bring back positions that a sliding window
  /// has already dropped, or a state of recurrent layers that is not kept (the sequence is unchanged then).
  Status remove(SeqId seq, int32_t p0, int32_t p1 = -1);
  /// Makes `to` equal to positions [p0, p1) of `from`, sharing pages. What `to` held is forgotten.
  Status copy(SeqId from, SeqId to, int32_t p0 = 0, int32_t p1 = -1);
  /// Forgets every other sequence.
  Status keep(SeqId seq);
  /// Keeps the first `n` positions of a sequence.
  Status trim(SeqId seq, int32_t n);
  /// Forgets the last `n` positions. A sequence can always go back by kRollbackTokens; if its model has recurrent
  /// layers, to where it was before the last decode() that computed tokens of it (once), or to its beginning.
  /// kInvalidArgument when it has fewer; kUnsupported says how far it can go back (the sequence is unchanged then).
  Status rollback(SeqId seq, int32_t n);
  /// Whether decode() of `n` more tokens of a sequence will find room: positions below n_ctx, and pages in every group
  /// of layers.
  bool room(SeqId seq, int32_t n) const;
  /// One more than the highest position held; 0 when empty or the id is out of range.
  int32_t length(SeqId seq) const;
  /// True when the position is held.
  bool contains(SeqId seq, int32_t pos) const;
  /// Id of the token at a position; -1 when it is not held.
  Token token(SeqId seq, int32_t pos) const;
  KVCacheStats stats() const;

  struct Impl;
  explicit KVCache(std::unique_ptr<Impl> impl);

 private:
  friend struct KVCacheInternals;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
