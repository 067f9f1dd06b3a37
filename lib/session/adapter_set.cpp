// Adapters of a session: choice by sequence, invocation tokens, keys, memory.
#include "lib/session/adapter_set.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>

#include "hearth/session.h"
#include "lib/base/concat.h"
#include "lib/base/xxh64.h"
#include "lib/model/forward.h"
#include "lib/model/model_impl.h"

namespace hearth {
namespace {

AdapterSizes sizes_of(const HParams& hp, const SessionOptions& o, std::span<const Adapter::Impl* const> adapters) {
  AdapterSizes sizes;
  sizes.n_batch = o.n_batch;
  int64_t per_token = std::max(1, hp.experts.n_used);
  for (const LayerShape& layer : hp.layers) {
    if (hp.latent.kv_rank > 0) per_token = std::max<int64_t>(per_token, layer.n_heads);
  }
  sizes.n_routed = o.n_batch * per_token;
  sizes.n_adapters = static_cast<int>(adapters.size());
  for (const Adapter::Impl* adapter : adapters) sizes.sum_of_ranks += adapter->info.max_rank;
  return sizes;
}

uint64_t own_bytes(const Adapter::Impl& adapter) {
  uint64_t bytes = adapter.info.file_bytes + adapter.pairs.size() * sizeof(LowRankPair);
  for (const FloatArray& direction : adapter.directions) bytes += direction.size() * sizeof(float);
  return bytes;
}

uint64_t work_bytes(const AdapterSizes& sizes) {
  Layout counting(nullptr);
  AdapterPass().lay_out(counting, sizes);
  return counting.used();
}

}  // namespace

/// Those with a scale other than 0, each once, in the order of their contents: sums do not depend on who else is there.
std::vector<const Adapter::Impl*> AdapterSet::distinct(std::span<const AdapterScale> adapters) {
  std::vector<const Adapter::Impl*> found;
  for (const AdapterScale& a : adapters) {
    const Adapter::Impl* impl = &AdapterInternals::of(a.adapter);
    if (a.scale != 0.0f && std::find(found.begin(), found.end(), impl) == found.end()) found.push_back(impl);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto* a, const auto* b) { return a->content_hash < b->content_hash; });
  return found;
}

uint64_t AdapterSet::bytes_of(const HParams& hp, const SessionOptions& options,
                              std::span<const AdapterScale> adapters) {
  const std::vector<const Adapter::Impl*> all = distinct(adapters);
  if (all.empty()) return 0;
  uint64_t bytes = work_bytes(sizes_of(hp, options, all));
  for (const Adapter::Impl* adapter : all) bytes += own_bytes(*adapter);
  return bytes;
}

Status AdapterSet::set(const HParams& hp, const SessionOptions& options, SeqId seq,
                       std::span<const AdapterScale> adapters) {
  for (const AdapterScale& a : adapters) {
    if (&ModelInternals::of(AdapterInternals::of(a.adapter).model).hp != &hp) {
      return Error{ErrorCode::kInvalidArgument,
                   concat("adapter ", a.adapter.info().name, " was loaded for another model")};
    }
    if (!std::isfinite(a.scale)) return Error{ErrorCode::kInvalidArgument, "an adapter's scale is not finite"};
  }
  if (sequences_.empty() && adapters.empty()) return {};
  std::vector<Sequence> changed = sequences_;
  changed.resize(static_cast<size_t>(options.n_seqs));
  std::vector<AdapterScale> together;
  for (SeqId s = 0; s < options.n_seqs; ++s) {
    Sequence& sequence = changed[static_cast<size_t>(s)];
    if (seq < 0 || s == seq) sequence = {{adapters.begin(), adapters.end()}, {}};
    together.insert(together.end(), sequence.wanted.begin(), sequence.wanted.end());
  }
  return rebuild(hp, options, std::move(changed), together);
}

/// What can fail comes first.
Status AdapterSet::rebuild(const HParams& hp, const SessionOptions& options, std::vector<Sequence> sequences,
                           std::span<const AdapterScale> together) {
  const std::vector<const Adapter::Impl*> all = distinct(together);
  const AdapterSizes sizes = sizes_of(hp, options, all);
  Result<AlignedBuffer> memory = AlignedBuffer();
  if (const uint64_t needed = work_bytes(sizes); needed > memory_.size()) {
    memory = AlignedBuffer::allocate(needed, "the adapters' scratch memory");
    if (!memory) return memory.error();
  }
  Layout layout(memory->data() != nullptr ? memory->data() : memory_.data());
  AdapterPass pass;
  pass.lay_out(layout, sizes);
  for (size_t i = 0; i < all.size(); ++i) pass.adapters()[i].adapter = all[i];
  for (Sequence& s : sequences) rebuild_uses(s, pass.adapters());
  const bool waits =
      std::any_of(all.begin(), all.end(), [](const auto* a) { return !a->info.invocation_tokens.empty(); });
  if (waits) text_.reserve(static_cast<size_t>(options.n_ctx));
  bytes_ = bytes_of(hp, options, together);
  waits_ = waits;
  pass_ = std::move(pass);
  sequences_ = std::move(sequences);
  if (memory->data() != nullptr) memory_ = std::move(*memory);
  return {};
}

/// Indices of adapters may have changed; where they begin to act stays, but for a new list.
void AdapterSet::rebuild_uses(Sequence& s, std::span<const ActiveAdapter> adapters) {
  const std::vector<Use> old = std::move(s.uses);
  s.uses.clear();
  for (const AdapterScale& a : s.wanted) {
    if (a.scale == 0.0f) continue;
    const auto place = std::find_if(adapters.begin(), adapters.end(), [&](const ActiveAdapter& active) {
      return active.adapter == &AdapterInternals::of(a.adapter);
    });
    Use use{static_cast<uint32_t>(place - adapters.begin()), a.scale,
            a.adapter.info().invocation_tokens.empty() ? 0 : kNever};
    if (s.uses.size() < old.size()) use.from = old[s.uses.size()].from;
    s.uses.push_back(use);
  }
}

std::span<const AdapterScale> AdapterSet::of(SeqId seq) const {
  if (seq < 0 || static_cast<size_t>(seq) >= sequences_.size()) return {};
  return sequences_[static_cast<size_t>(seq)].wanted;
}

AdapterPass* AdapterSet::begin(std::span<const BatchToken> batch) {
  const std::span<ActiveAdapter> adapters = pass_.adapters();
  if (adapters.empty()) return nullptr;
  for (ActiveAdapter& a : adapters) std::fill_n(a.scale, batch.size(), 0.0f);
  for (size_t t = 0; t < batch.size(); ++t) {
    for (const Use& use : sequences_[static_cast<size_t>(batch[t].seq)].uses) {
      if (batch[t].pos >= use.from) adapters[use.adapter].scale[t] += use.scale;
    }
  }
  return pass_.begin(static_cast<int>(batch.size())) ? &pass_ : nullptr;
}

uint64_t AdapterSet::key(SeqId seq, int32_t pos) const {
  if (seq < 0 || static_cast<size_t>(seq) >= sequences_.size()) return 0;
  Xxh64 hash;
  bool any = false;
  for (size_t i = 0; i < pass_.adapters().size(); ++i) {
    float scale = 0.0f;
    for (const Use& use : sequences_[static_cast<size_t>(seq)].uses) {
      if (use.adapter == i && pos >= use.from) scale += use.scale;
    }
    if (scale == 0.0f) continue;
    std::array<std::byte, 12> bytes{};
    const uint64_t content = pass_.adapters()[i].adapter->content_hash;
    const auto scale_bits = std::bit_cast<uint32_t>(scale);
    for (size_t b = 0; b < 8; ++b) bytes[b] = static_cast<std::byte>(content >> (8 * b));
    for (size_t b = 0; b < 4; ++b) bytes[8 + b] = static_cast<std::byte>(scale_bits >> (8 * b));
    hash.update(bytes);
    any = true;
  }
  return any ? std::max<uint64_t>(hash.digest(), 1) : 0;
}

// --- invocation tokens
// -------------------------------------------------------------------------------------------------

/// `from` becomes the last place where the invocation stands in what the sequence holds before `pos` and in these
/// tokens.
void AdapterSet::locate(Use& use, int32_t pos, std::span<const Token> tokens, const TokenAt& before) {
  const std::vector<Token>& wanted = pass_.adapters()[use.adapter].adapter->info.invocation_tokens;
  if (wanted.empty()) return;
  const auto stands_at = [&](int32_t place) {
    return std::all_of(wanted.begin(), wanted.end(), [&, p = place](Token id) mutable {
      const Token held = p < pos ? before(p) : tokens[static_cast<size_t>(p - pos)];
      ++p;
      return held == id;
    });
  };
  int32_t place = pos + static_cast<int32_t>(tokens.size()) - static_cast<int32_t>(wanted.size());
  while (place >= 0 && !stands_at(place)) --place;
  use.from = place >= 0 ? place : kNever;
}

void AdapterSet::look_ahead(SeqId seq, int32_t pos, std::span<const Token> tokens, const TokenAt& before) {
  if (!waits_ || seq < 0 || static_cast<size_t>(seq) >= sequences_.size()) return;
  for (Use& use : sequences_[static_cast<size_t>(seq)].uses) locate(use, pos, tokens, before);
  ahead_ = seq;
}

void AdapterSet::look_at(std::span<const BatchToken> batch, const std::function<Token(SeqId, int32_t)>& before) {
  for (size_t i = 0; waits_ && i < batch.size(); ++i) {
    const SeqId seq = batch[i].seq;
    const auto same = [seq](const BatchToken& token) { return token.seq == seq; };
    if (seq == ahead_ || std::any_of(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(i), same)) continue;
    text_.clear();
    for (const BatchToken& token : batch.subspan(i)) {
      if (same(token)) text_.push_back(token.id);
    }
    for (Use& use : sequences_[static_cast<size_t>(seq)].uses) {
      locate(use, batch[i].pos, text_, [&](int32_t pos) { return before(seq, pos); });
    }
  }
}

}  // namespace hearth
