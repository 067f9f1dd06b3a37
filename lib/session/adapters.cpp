// Session: adapters by sequence.
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/session/session_impl.h"

namespace hearth {

void Session::Impl::look_at(std::span<const BatchToken> batch) {
  const KVCache::Impl& held = KVCacheInternals::of(*cache);
  adapters.look_at(batch,
                   [&](SeqId seq, int32_t pos) { return held.contains(seq, pos) ? held.token(seq, pos) : Token{-1}; });
}

void Session::Impl::look_ahead(SeqId seq, std::span<const Token> tokens) {
  const KVCache::Impl& held = KVCacheInternals::of(*cache);
  adapters.look_ahead(seq, held.length(seq), tokens,
                      [&](int32_t pos) { return held.contains(seq, pos) ? held.token(seq, pos) : Token{-1}; });
}

Status Session::set_adapters(SeqId seq, std::span<const AdapterScale> adapters) {
  return guard([&]() -> Status {
    Impl& s = *impl_;
    if (seq < 0 || seq >= s.options.n_seqs) {
      return Error{ErrorCode::kInvalidArgument, concat("sequence ", seq, " is not in 0..", s.options.n_seqs - 1)};
    }
    return s.adapters.set(ModelInternals::of(s.model).hp, s.options, seq, adapters);
  });
}

Status Session::set_adapters(SeqId seq, std::initializer_list<AdapterScale> adapters) {
  return set_adapters(seq, std::span(adapters.begin(), adapters.size()));
}

Status Session::set_adapters(std::span<const AdapterScale> adapters) {
  return guard([&] { return impl_->adapters.set(ModelInternals::of(impl_->model).hp, impl_->options, -1, adapters); });
}

std::span<const AdapterScale> Session::adapters(SeqId seq) const {
  return impl_->adapters.of(seq);
}

uint64_t Session::adapter_key(SeqId seq, int32_t pos) const {
  return impl_->adapters.key(seq, pos);
}

}  // namespace hearth
