// A cache as a whole: memory, the steps of a decode(), and what the forward pass sees.
#include "lib/cache/kv_cache.h"

#include <algorithm>
#include <string>

#include "lib/base/concat.h"

namespace hearth {
namespace {

static_assert(KVCache::kPageTokens == kernels::kPageTokens);

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Error no_room(size_t n_tokens, int64_t n_ctx) {
  return {ErrorCode::kContextFull,
          concat("the KV cache has no room for ", n_tokens, " more tokens (context ", n_ctx, ")")};
}

}  // namespace

void KVCache::Impl::lay_out(Layout& cut) {
  groups.resize(layout.groups.size());
  for (size_t g = 0; g < groups.size(); ++g) groups[g].lay_out(cut, layout.groups[g], options);
  states.lay_out(cut, options.n_seqs, layout.state_floats, options.n_kept_prefixes);
  end_ = cut.take<int32_t>(options.n_seqs);
  last_ = cut.take<int32_t>(options.n_seqs);
  known_ = cut.take<int32_t>(options.n_seqs);
  branch_ = cut.take<int32_t>(options.n_seqs);
  root_ = cut.take<uint64_t>(options.n_seqs);
}

uint64_t KVCache::Impl::bytes_needed(std::span<const CacheLayer> layers, const CacheOptions& options) {
  Impl impl;
  impl.options = options;
  impl.layout = CacheLayout::make(layers, options);
  Layout counting(nullptr);
  impl.lay_out(counting);
  return counting.used();
}

Result<std::unique_ptr<KVCache::Impl>> KVCache::Impl::create(std::span<const CacheLayer> layers,
                                                             const CacheOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->layout = CacheLayout::make(layers, options);
  Layout counting(nullptr);
  impl->lay_out(counting);
  Result<AlignedBuffer> memory = AlignedBuffer::allocate(counting.used(), "the KV cache");
  if (!memory) return memory.error();
  impl->memory = std::move(*memory);
  Layout cut(impl->memory.data());
  impl->lay_out(cut);
  impl->clear();
  for (size_t g = 0; g < impl->groups.size(); ++g) {
    impl->groups[g].pool().on_forget([index = &impl->prefixes, g](uint64_t key) { index->forget(key, g); });
  }
  impl->states.on_forget([index = &impl->prefixes, g = impl->groups.size()](uint64_t key) { index->forget(key, g); });
  return impl;
}

void KVCache::Impl::clear() {
  for (Sequences& group : groups) group.clear();
  states.clear();
  prefixes.clear();
  std::fill_n(known_, options.n_seqs, 0);
  std::fill_n(branch_, options.n_seqs, 0);
  std::fill_n(root_, options.n_seqs, uint64_t{0});
}

std::span<const PageRef> KVCache::Impl::table(int layer, SeqId seq) const {
  return groups[static_cast<size_t>(layout.layers[static_cast<size_t>(layer)].group)].table(seq);
}

kernels::KvPage KVCache::Impl::page(int layer, int32_t page, int kv_head) const {
  const LayerPlace& place = layout.layers[static_cast<size_t>(layer)];
  std::byte* base = groups[static_cast<size_t>(place.group)].pool().bytes(page) + place.offset;
  std::byte* k = base + static_cast<uint64_t>(kv_head) * place.head_bytes_k;
  std::byte* v = base + static_cast<uint64_t>(place.n_kv_heads) * place.head_bytes_k +
                 static_cast<uint64_t>(kv_head) * place.head_bytes_v;
  return {k, v};
}

float* KVCache::Impl::state(int layer, SeqId seq) const {
  return states.current(seq) + layout.layers[static_cast<size_t>(layer)].state_offset;
}

const float* KVCache::Impl::state_before(int layer, SeqId seq) const {
  return states.source(seq) + layout.layers[static_cast<size_t>(layer)].state_offset;
}

Status KVCache::Impl::check_sequence(SeqId seq) const {
  if (seq >= 0 && seq < options.n_seqs) return {};
  return invalid(concat("sequence ", seq, " is not below n_seqs (", options.n_seqs, ")"));
}

/// last: position of the sequence's token before it in the batch; -1: it is the first.
Status KVCache::Impl::check_token(const BatchToken& token, int32_t last) const {
  const auto name = [&] { return concat("position ", token.pos, " of sequence ", token.seq); };
  if (token.pos < 0) return invalid(concat("position ", token.pos, " is negative"));
  if (token.pos >= options.n_ctx) {
    return Error{ErrorCode::kContextFull, concat("position ", token.pos, " does not fit a context of ", options.n_ctx)};
  }
  if (contains(token.seq, token.pos)) return invalid(name() + " is taken");
  if (states.floats() > 0) {
    const int32_t next = last < 0 ? length(token.seq) : last + 1;
    if (token.pos == next) return {};
    return invalid(
        concat(name(), " leaves a gap, but recurrent layers compute every position in turn (next: ", next, ")"));
  }
  if (token.pos <= last) return invalid(concat(name(), " does not follow ", last, " in the batch"));
  return {};
}

Status KVCache::Impl::check(std::span<const BatchToken> batch) const {
  std::fill_n(last_, options.n_seqs, -1);
  for (const BatchToken& token : batch) {
    if (Status status = check_sequence(token.seq); !status) return status;
    if (Status status = check_token(token, last_[token.seq]); !status) return status;
    last_[token.seq] = token.pos;
  }
  for (const Sequences& group : groups) {
    if (group.layout().window > 0) continue;
    std::fill_n(last_, options.n_seqs, -1);
    int64_t wanted = 0;
    for (const BatchToken& token : batch) {  // positions of a sequence ascend, so each page is met once
      int32_t& last = last_[token.seq];
      if (last < 0 || last / kPageTokens != token.pos / kPageTokens)
        wanted += group.needs_page(token.seq, token.pos / kPageTokens);
      last = token.pos;
    }
    if (wanted > group.pool().n_free()) return no_room(batch.size(), options.n_ctx);
  }
  return {};
}

void KVCache::Impl::begin() {
  for (Sequences& group : groups) group.begin();
  states.begin();
  std::fill_n(end_, options.n_seqs, 0);
}

Status KVCache::Impl::hold(std::span<const BatchToken> batch) {
  for (Sequences& group : groups) {
    std::fill_n(last_, options.n_seqs, -1);
    for (const BatchToken& token : batch) {  // its first token sees farthest back
      if (last_[token.seq] < 0) group.drop_before(token.seq, token.pos);
      last_[token.seq] = token.pos;
    }
    for (const BatchToken& token : batch) {
      if (!group.hold(token.seq, token.pos, token.id)) return no_room(batch.size(), options.n_ctx);
    }
  }
  return {};
}

Status KVCache::Impl::reserve(std::span<const BatchToken> batch) {
  if (Status status = hold(batch); !status) return status;
  std::fill_n(last_, options.n_seqs, -1);
  for (const BatchToken& token : batch) {
    if (states.floats() > 0 && last_[token.seq] < 0) states.advance(token.seq, token.pos);
    last_[token.seq] = token.pos;
    end_[token.seq] = token.pos + 1;
  }
  return {};
}

void KVCache::Impl::commit() {
  for (Sequences& group : groups) {
    for (SeqId seq = 0; group.layout().window > 0 && seq < options.n_seqs; ++seq) {
      if (end_[seq] > 0) group.drop_before(seq, end_[seq]);
    }
    group.commit();
  }
}

void KVCache::Impl::undo() {
  for (Sequences& group : groups) group.undo();
  states.undo();
}

}  // namespace hearth
