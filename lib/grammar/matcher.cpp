// GrammarMatcher: the states that a text has passed, and the masks of those met before.
#include <algorithm>
#include <unordered_map>
#include <vector>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/grammar/grammar_impl.h"
#include "lib/grammar/mask.h"

namespace hearth {
namespace {

using grammar::kDead;
using grammar::StateId;

constexpr size_t kMaxMasks = 128;
constexpr size_t kMaxBytes = size_t{64} << 20;  // of the automaton, until it forgets
constexpr size_t kMaxForced = 4096;

}  // namespace

struct GrammarMatcher::Impl {
  Impl(const Grammar& of, const Tokenizer& with)
      : grammar(of),
        tokenizer(with),
        vocabulary(grammar::Vocabulary::of(with)),
        automaton(GrammarInternals::program(of)),
        passed{automaton.start()} {}

  StateId state() const { return passed.back(); }
  StateId after(Token id);
  StateId after(std::string_view text, StateId from);
  Status go(StateId next, const std::string& what);
  void forget();

  Grammar grammar;  ///< keeps the program
  Tokenizer tokenizer;
  std::shared_ptr<const grammar::Vocabulary> vocabulary;
  grammar::Automaton automaton;
  std::vector<StateId> passed;  ///< never empty; the last one is where the text stands
  bool ended = false;
  std::unordered_map<StateId, grammar::Bits> masks;
};

StateId GrammarMatcher::Impl::after(std::string_view text, StateId from) {
  for (const char c : text) {
    if (from == kDead) break;
    from = automaton.next(from, static_cast<uint8_t>(c));
  }
  return from;
}

/// By its bytes, by its name in the grammar, or both.
StateId GrammarMatcher::Impl::after(Token id) {
  if (ended || id < 0 || id >= vocabulary->n_vocab) return kDead;
  StateId next = vocabulary->is_text[static_cast<size_t>(id)] ? after(tokenizer.piece(id), state()) : kDead;
  if (automaton.program().has_tokens) next = automaton.either(next, automaton.next_token(state(), id));
  return next;
}

Status GrammarMatcher::Impl::go(StateId next, const std::string& what) {
  if (next == kDead && automaton.too_large()) {
    return Error{ErrorCode::kLimit, "grammar: too ambiguous to be followed at " + what};
  }
  if (next == kDead) return Error{ErrorCode::kInvalidArgument, concat("grammar: ", what, " may not follow")};
  passed.push_back(next);
  if (automaton.bytes() <= kMaxBytes) return {};
  return undo_on_exception([&]() -> Status { return forget(), Status(); }, [&] { passed.pop_back(); });
}

void GrammarMatcher::Impl::forget() {
  std::vector<StateId> moved = passed;
  automaton.keep_only(moved);
  passed.swap(moved);
  masks.clear();
}

GrammarMatcher::GrammarMatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrammarMatcher::GrammarMatcher(GrammarMatcher&&) noexcept = default;
GrammarMatcher& GrammarMatcher::operator=(GrammarMatcher&&) noexcept = default;
GrammarMatcher::~GrammarMatcher() = default;

Result<GrammarMatcher> GrammarMatcher::create(const Grammar& grammar, const Tokenizer& tokenizer) {
  return guard([&]() -> Result<GrammarMatcher> { return GrammarMatcher(std::make_unique<Impl>(grammar, tokenizer)); });
}

Result<GrammarMatcher> GrammarMatcher::clone() const {
  return guard([&]() -> Result<GrammarMatcher> {
    auto copy = std::make_unique<Impl>(impl_->grammar, impl_->tokenizer);
    copy->automaton = impl_->automaton.copy();
    copy->passed = impl_->passed;
    copy->ended = impl_->ended;
    copy->masks = impl_->masks;
    return GrammarMatcher(std::move(copy));
  });
}

Result<std::span<const uint64_t>> GrammarMatcher::mask() {
  return guard([&]() -> Result<std::span<const uint64_t>> {
    Impl& m = *impl_;
    const StateId key = m.ended ? kDead : m.state();
    const auto known = m.masks.find(key);
    if (known != m.masks.end()) return std::span<const uint64_t>(known->second);
    if (m.masks.size() >= kMaxMasks) m.masks.clear();
    grammar::Bits bits(m.vocabulary->n_words);
    grammar::fill_mask(m.automaton, key, *m.vocabulary, bits);
    return std::span<const uint64_t>(m.masks.emplace(key, std::move(bits)).first->second);
  });
}

Result<bool> GrammarMatcher::allows(Token id) {
  return guard([&]() -> Result<bool> {
    Impl& m = *impl_;
    if (m.after(id) != kDead) return true;
    return !m.ended && id >= 0 && id < m.vocabulary->n_vocab && m.tokenizer.is_end(id) && can_end();
  });
}

Status GrammarMatcher::accept(Token id) {
  return guard([&]() -> Status {
    Impl& m = *impl_;
    const StateId next = m.after(id);
    if (next == kDead && !m.ended && m.tokenizer.is_end(id) && can_end()) {
      m.passed.push_back(m.state());
      m.ended = true;
      return {};
    }
    return m.go(next, concat("token ", id));
  });
}

Status GrammarMatcher::accept(std::string_view text) {
  return guard(
      [&]() -> Status { return impl_->go(impl_->ended ? kDead : impl_->after(text, impl_->state()), "this text"); });
}

void GrammarMatcher::rollback(size_t n) {
  Impl& m = *impl_;
  n = std::min(n, n_accepted());
  if (n > 0) m.ended = false;
  m.passed.resize(m.passed.size() - n);
}

size_t GrammarMatcher::n_accepted() const {
  return impl_->passed.size() - 1;
}

Result<std::string> GrammarMatcher::forced() {
  return guard([&]() -> Result<std::string> {
    Impl& m = *impl_;
    std::string text;
    StateId state = m.ended ? kDead : m.state();
    while (text.size() < kMaxForced && !m.automaton.accepts(state) && !m.automaton.takes_token(state)) {
      const grammar::ByteSet bytes = m.automaton.bytes_after(state);
      StateId only = kDead;
      uint8_t byte = 0;
      int n = 0;
      for (uint32_t b = 0; b < 256 && n < 2; ++b) {
        if ((bytes[b >> 6] >> (b & 63) & 1) == 0) continue;
        const StateId next = m.automaton.next(state, static_cast<uint8_t>(b));
        if (next == kDead) continue;
        only = next;
        byte = static_cast<uint8_t>(b);
        ++n;
      }
      if (n != 1) break;
      text.push_back(static_cast<char>(byte));
      state = only;
    }
    return text;
  });
}

bool GrammarMatcher::can_end() const {
  return impl_->automaton.accepts(impl_->state());
}

bool GrammarMatcher::is_complete() const {
  return can_end() && impl_->automaton.places(impl_->state()).empty();
}

bool GrammarMatcher::ended() const {
  return impl_->ended;
}

}  // namespace hearth
