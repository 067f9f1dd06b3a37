// Sorting tokens into tries, and by what they are inside a JSON string.
#include "lib/grammar/vocabulary.h"

#include <algorithm>

#include "lib/base/mutex.h"
#include "lib/grammar/automaton.h"
#include "lib/tokenizer/tokenizer_impl.h"

namespace hearth::grammar {
namespace {

constexpr size_t kMaxTokenBytes = 60000;

/// Items are sorted by their bytes.
template <typename Item>
Trie make_trie(const std::vector<Item>& items) {
  Trie trie;
  trie.nodes.push_back({1, 0, 0, 0, 0});
  std::vector<uint32_t> open{0};  // from the root to the last node
  std::string_view last;
  const auto close = [&](size_t depth) {
    for (; open.size() > depth + 1; open.pop_back()) {
      trie.nodes[open.back()].end = static_cast<uint32_t>(trie.nodes.size());
    }
  };
  for (const Item& item : items) {
    const auto differ = std::mismatch(last.begin(), last.end(), item.bytes.begin(), item.bytes.end());
    close(static_cast<size_t>(differ.first - last.begin()));
    const auto n_entries = static_cast<uint32_t>(trie.entries.size());
    while (open.size() <= item.bytes.size()) {
      const auto byte = static_cast<uint8_t>(item.bytes[open.size() - 1]);
      trie.nodes.push_back({0, n_entries, 0, static_cast<uint16_t>(open.size()), byte});
      open.push_back(static_cast<uint32_t>(trie.nodes.size() - 1));
    }
    trie.depth = std::max(trie.depth, static_cast<uint32_t>(item.bytes.size()));
    trie.entries.push_back(item.entry);
    ++trie.nodes[open.back()].n_entries;
    last = item.bytes;
  }
  close(0);
  trie.nodes[0].end = static_cast<uint32_t>(trie.nodes.size());
  return trie;
}

Program program_of(bool any_escape) {
  ExprPool pool;
  const uint32_t root = pool.add_rule("root");
  pool.define(root, any_escape ? pool.string_rest(0, kUnbounded)
                               : pool.repeat(pool.chars(CodeSet::all(), Encoding::kJson), 0, kUnbounded));
  Result<Program> program = make_program(pool);
  return program ? std::move(*program) : Program{};
}

}  // namespace

std::shared_ptr<const Vocabulary> Vocabulary::of(const Tokenizer& tokenizer) {
  const Tokenizer::Impl& impl = TokenizerInternals::impl(tokenizer);
  const MutexLock lock(impl.companion_mutex);
  if (!impl.companion) impl.companion = std::make_shared<const Vocabulary>(tokenizer);
  return std::static_pointer_cast<const Vocabulary>(impl.companion);
}

Vocabulary::Vocabulary(const Tokenizer& tokenizer) : n_vocab(tokenizer.n_vocab()) {
  n_words = (static_cast<size_t>(n_vocab) + 63) / 64;
  is_text.resize(static_cast<size_t>(n_vocab));
  std::vector<Item> items;
  for (Token id = 0; id < n_vocab; ++id) {
    if (tokenizer.is_end(id)) ends.push_back(id);
    const TokenKind kind = tokenizer.kind(id);
    const std::string_view bytes = tokenizer.piece(id);
    const bool is_none = kind == TokenKind::kControl || kind == TokenKind::kUnknown || kind == TokenKind::kUnused;
    if (is_none || bytes.empty() || bytes.size() > kMaxTokenBytes || tokenizer.is_end(id)) continue;
    is_text[static_cast<size_t>(id)] = true;
    items.push_back({bytes, {id, 0}});
  }
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.bytes < b.bytes; });
  all = make_trie(items);
  classify(items);
}

void Vocabulary::classify(const std::vector<Item>& items) {
  const Program any = program_of(true), needed = program_of(false);
  Automaton in_string(any), in_plain(needed);
  const StateId body = in_string.start(), plain_start = in_plain.start();
  plain.assign(n_words, 0);
  inside.assign(n_words, 0);
  within.assign(kWithin, Bits(n_words));
  std::vector<Item> others, closing;
  for (const Item& item : items) {
    StateId state = body, plain_state = plain_start;
    int32_t n = 0;
    size_t at = 0;
    bool closes = false;
    for (; at < item.bytes.size() && state != kDead && !closes; ++at) {
      const auto byte = static_cast<uint8_t>(item.bytes[at]);
      state = in_string.next(state, byte);
      plain_state = in_plain.next(plain_state, byte);
      closes = in_string.accepts(state);
      n += state == body;
    }
    if (plain_state == kDead) others.push_back(item);
    if (plain_state != kDead) set_bit(plain, item.entry.id);
    if (closes) closing.push_back({item.bytes.substr(at), {item.entry.id, n}});
    if (closes || state == kDead) continue;
    n += state != body;  // a character that is not complete needs room as well
    max_characters = std::max(max_characters, n);
    set_bit(inside, item.entry.id);
    for (int32_t i = n; i < kWithin; ++i) set_bit(within[static_cast<size_t>(i)], item.entry.id);
    if (n >= kWithin) longer.push_back({item.entry.id, n});
  }
  const auto fewer = [](const TrieEntry& a, const TrieEntry& b) { return a.n_characters < b.n_characters; };
  std::stable_sort(longer.begin(), longer.end(), fewer);
  std::stable_sort(closing.begin(), closing.end(), [](const Item& a, const Item& b) { return a.bytes < b.bytes; });
  not_plain = make_trie(others);
  endings = make_trie(closing);
}

}  // namespace hearth::grammar
