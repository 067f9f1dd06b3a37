// A sequence as bytes. Little-endian:
//   "hearthKV" | u32 version | u64 model | u32 k_type | u32 v_type | u32 groups | u64 state floats | i32 turn
//   each group: u32 window | u64 bytes of a page | u32 dropped | u32 entries
//     each entry: u32 index, and 2^31 where its keys are unturned | u64 mask | i32 tokens [64] | the page; slots that
//     are not held are 0
//   state floats (of recurrent layers)
//   u64 XXH64 of all before
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/xxh64.h"
#include "lib/cache/copy_position.h"
#include "lib/cache/kv_cache.h"

namespace hearth {
namespace {

constexpr char kMagic[8] = {'h', 'e', 'a', 'r', 't', 'h', 'K', 'V'};
constexpr uint32_t kVersion = 2;
constexpr uint32_t kUnturned = uint32_t{1} << 31;

Error damaged(const std::string& what) {
  return {ErrorCode::kFormat, "saved sequence: " + what};
}
Error misfit(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "saved sequence: " + what};
}

/// Passes bytes on and hashes them; after an error nothing more is written.
class Writer {
 public:
  explicit Writer(const ByteSink& sink) : sink_(sink) {}
  void bytes(std::span<const std::byte> data) {
    if (!status_) return;
    hash_.update(data);
    status_ = sink_(data);
  }
  template <typename T>
  void number(T x) {
    bytes(std::as_bytes(std::span(&x, 1)));
  }
  Status finish() {
    number(hash_.digest());
    return status_;
  }

 private:
  const ByteSink& sink_;
  Xxh64 hash_;
  Status status_;
};

/// Takes bytes from the front; fails once there are too few.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
  std::span<const std::byte> bytes(uint64_t n) {
    if (n > rest_.size()) {
      fine_ = false;
      return {};
    }
    const auto taken = rest_.first(static_cast<size_t>(n));
    rest_ = rest_.subspan(static_cast<size_t>(n));
    return taken;
  }
  template <typename T>
  T number() {
    T x{};
    const auto from = bytes(sizeof x);
    if (fine_) std::memcpy(&x, from.data(), sizeof x);
    return x;
  }
  bool fine() const { return fine_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  bool fine_ = true;
};

struct SavedEntry {
  uint32_t index = 0;
  bool unturned = false;
  uint64_t mask = 0;
  std::span<const std::byte> tokens, page;
};

struct SavedGroup {
  int32_t dropped = 0;
  std::vector<SavedEntry> entries;
};

struct SavedSequence {
  std::vector<SavedGroup> groups;
  std::span<const std::byte> state;
  int32_t turn = 0;  ///< 0: no entry is unturned
};

/// Magic, version and checksum. What lies between is handed back.
Result<Reader> open_saved(std::span<const std::byte> bytes) {
  constexpr size_t kHead = sizeof(kMagic) + sizeof(uint32_t), kTail = sizeof(uint64_t);
  if (bytes.size() < kHead + kTail) return damaged(concat("only ", bytes.size(), " bytes"));
  if (std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) return damaged("does not begin as one does");
  Reader reader(bytes.first(bytes.size() - kTail).subspan(sizeof kMagic));
  const auto version = reader.number<uint32_t>();
  if (version != kVersion) {
    return misfit(concat("version ", version, ", this library reads ", kVersion));
  }
  uint64_t noted;
  std::memcpy(&noted, bytes.data() + bytes.size() - kTail, kTail);
  if (xxh64(bytes.first(bytes.size() - kTail)) != noted) return damaged("its checksum does not match its bytes");
  return reader;
}

Status read_group(Reader& reader, const GroupLayout& layout, int64_t n_ctx, SavedGroup& group) {
  const auto window = reader.number<uint32_t>();
  const auto page_bytes = reader.number<uint64_t>();
  group.dropped = reader.number<int32_t>();
  const auto n_entries = reader.number<uint32_t>();
  if (!reader.fine()) return damaged("ends too early");
  if (window != static_cast<uint32_t>(layout.window) || page_bytes != layout.page_bytes) {
    return misfit("its layers have other windows or sizes");
  }
  int64_t last = -1;
  for (uint32_t i = 0; i < n_entries; ++i) {
    SavedEntry entry;
    const auto index = reader.number<uint32_t>();
    entry.index = index & ~kUnturned;
    entry.unturned = (index & kUnturned) != 0;
    entry.mask = reader.number<uint64_t>();
    entry.tokens = reader.bytes(KVCache::kPageTokens * sizeof(Token));
    entry.page = reader.bytes(page_bytes);
    if (!reader.fine()) return damaged("ends too early");
    if (int64_t{entry.index} <= last || entry.mask == 0) return damaged("its pages are out of order");
    last = entry.index;
    if (last >= pages_for(n_ctx) || (entry.mask & ~range_mask(last, 0, n_ctx)) != 0) {
      return misfit(concat("it has positions beyond a context of ", n_ctx));
    }
    group.entries.push_back(entry);
  }
  if (group.dropped < 0 || group.dropped > pages_for(n_ctx) * KVCache::kPageTokens)
    return damaged("its window is out of range");
  return {};
}

Result<SavedSequence> read_saved(std::span<const std::byte> bytes, uint64_t model, const CacheOptions& options,
                                 const CacheLayout& layout) {
  Result<Reader> opened = open_saved(bytes);
  if (!opened) return opened.error();
  Reader& reader = *opened;
  const auto saved_model = reader.number<uint64_t>();
  const auto k_type = reader.number<uint32_t>(), v_type = reader.number<uint32_t>();
  const auto n_groups = reader.number<uint32_t>();
  const auto state_floats = reader.number<uint64_t>();
  SavedSequence saved;
  saved.turn = reader.number<int32_t>();
  if (!reader.fine()) return damaged("ends too early");
  if (saved_model != model) return misfit("it is of another model, or of other rope options or adapters");
  if (k_type != static_cast<uint32_t>(options.k_type) || v_type != static_cast<uint32_t>(options.v_type)) {
    return misfit(concat("its keys and values are ", kv_type_name(static_cast<KVType>(k_type)), " and ",
                         kv_type_name(static_cast<KVType>(v_type)), ", those of the session ",
                         kv_type_name(options.k_type), " and ", kv_type_name(options.v_type)));
  }
  if (n_groups != layout.groups.size() || state_floats != static_cast<uint64_t>(layout.state_floats)) {
    return misfit("its layers have other windows or sizes");
  }
  saved.groups.resize(n_groups);
  bool unturned = false;
  for (uint32_t g = 0; g < n_groups; ++g) {
    if (Status status = read_group(reader, layout.groups[g], options.n_ctx, saved.groups[g]); !status) {
      return status.error();
    }
    for (const SavedEntry& entry : saved.groups[g].entries) unturned |= entry.unturned;
  }
  if (unturned != (saved.turn != 0) || std::abs(int64_t{saved.turn}) >= options.n_ctx)
    return damaged("how far its keys are to be turned does not fit them");
  saved.state = reader.bytes(state_floats * sizeof(float));
  if (!reader.fine() || !reader.at_end()) return damaged("has bytes too few or too many");
  return saved;
}

}  // namespace

/// A page without what its other slots hold.
void KVCache::Impl::copy_held(std::byte* to, size_t group, const PageRef& ref) const {
  const std::byte* from = groups[group].pool().bytes(ref.page);
  if (ref.mask == ~uint64_t{0}) {
    std::memcpy(to, from, static_cast<size_t>(layout.groups[group].page_bytes));
    return;
  }
  std::memset(to, 0, static_cast<size_t>(layout.groups[group].page_bytes));
  const auto k_type = static_cast<kernels::KvType>(options.k_type),
             v_type = static_cast<kernels::KvType>(options.v_type);
  for (const LayerPlace& place : layout.layers) {
    if (place.group != static_cast<int>(group)) continue;
    for (uint64_t head = 0; head < static_cast<uint64_t>(place.n_kv_heads); ++head) {
      const uint64_t k = place.offset + head * place.head_bytes_k;
      const uint64_t v =
          place.offset + static_cast<uint64_t>(place.n_kv_heads) * place.head_bytes_k + head * place.head_bytes_v;
      for (int slot = 0; slot < kPageTokens; ++slot) {
        if ((ref.mask >> slot & 1) == 0) continue;
        copy_key(k_type, to + k, slot, from + k, slot, place.k_dim);
        copy_value(v_type, to + v, slot, from + v, slot, place.v_dim);
      }
    }
  }
}

Status KVCache::Impl::save(SeqId seq, uint64_t model, const ByteSink& write) const {
  if (Status status = check_sequence(seq); !status) return status;
  Writer out(write);
  out.bytes(std::as_bytes(std::span(kMagic)));
  out.number(kVersion);
  out.number(model);
  out.number(static_cast<uint32_t>(options.k_type));
  out.number(static_cast<uint32_t>(options.v_type));
  out.number(static_cast<uint32_t>(groups.size()));
  out.number(static_cast<uint64_t>(layout.state_floats));
  const auto has_unturned = [&](const Sequences& group) { return group.n_unturned(seq) > 0; };
  out.number(std::any_of(groups.begin(), groups.end(), has_unturned) ? turn : 0);
  for (size_t g = 0; g < groups.size(); ++g) {
    const Sequences& group = groups[g];
    uint32_t n_entries = 0;
    for (const PageRef& ref : group.table(seq)) n_entries += ref.mask != 0;
    out.number(static_cast<uint32_t>(group.layout().window));
    out.number(group.layout().page_bytes);
    out.number(group.dropped(seq));
    out.number(n_entries);
    std::vector<std::byte> page(static_cast<size_t>(group.layout().page_bytes));
    uint32_t index = 0;
    for (const PageRef& ref : group.table(seq)) {
      if (ref.mask != 0) {
        Token tokens[kPageTokens];
        for (int t = 0; t < kPageTokens; ++t)
          tokens[t] = (ref.mask >> t & 1) != 0 ? group.pool().tokens(ref.page)[t] : 0;
        out.number(ref.unturned ? index | kUnturned : index);
        out.number(ref.mask);
        out.bytes(std::as_bytes(std::span(tokens)));
        copy_held(page.data(), g, ref);
        out.bytes(page);
      }
      ++index;
    }
  }
  if (states.floats() > 0) {
    out.bytes(std::as_bytes(std::span(states.current(seq), static_cast<size_t>(states.floats()))));
  }
  return out.finish();
}

Status KVCache::Impl::restore(SeqId seq, uint64_t model, std::span<const std::byte> bytes,
                              const std::function<void(int32_t turn)>& before_unturned) {
  if (Status status = check_sequence(seq); !status) return status;
  Result<SavedSequence> saved = read_saved(bytes, model, options, layout);
  if (!saved) return saved.error();
  for (size_t g = 0; g < groups.size(); ++g) {
    const auto wanted = static_cast<int64_t>(saved->groups[g].entries.size());
    if (wanted <= groups[g].pool().n_free() + groups[g].n_own_pages(seq)) continue;
    return Error{ErrorCode::kContextFull, concat("saved sequence: ", wanted, " pages are not free")};
  }
  if (saved->turn != 0) {
    if (before_unturned) before_unturned(saved->turn);
    turn = saved->turn;
  }
  if (Status status = remove(seq, 0, -1); !status) return status;
  for (size_t g = 0; g < groups.size(); ++g) {
    Sequences& group = groups[g];
    for (const SavedEntry& entry : saved->groups[g].entries) {
      const int32_t page = group.adopt(seq, entry.index, entry.mask, entry.unturned);
      std::memcpy(group.pool().bytes(page), entry.page.data(), entry.page.size());
      std::memcpy(group.pool().tokens(page), entry.tokens.data(), entry.tokens.size());
    }
    group.set_dropped(seq, saved->groups[g].dropped);
  }
  if (states.floats() > 0) std::memcpy(states.current(seq), saved->state.data(), saved->state.size());
  return {};
}

}  // namespace hearth
