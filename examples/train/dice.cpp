// Choices, slots and the hold-out rule.
#include "examples/train/dice.h"

#include <algorithm>
#include <cctype>

namespace train {
namespace {

constexpr uint64_t kHeldOutShare = 10;  // one in so many

/// FNV-1a, continued; the zero byte keeps "ab","c" apart from "a","bc".
uint64_t hash_text(uint64_t state, std::string_view text) {
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return (state ^ 0u) * 0x100000001b3ull;
}

bool contains(const std::vector<std::string_view>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

bool is_held_out(std::string_view kind, std::string_view a, std::string_view b) {
  uint64_t h = hash_text(hash_text(hash_text(0xcbf29ce484222325ull, kind), a), b);
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdull;  // the finishing step of MurmurHash3
  return (h ^ (h >> 33)) % kHeldOutShare == 0;
}

void Slots::set(std::string_view name, std::string_view value) {
  for (auto& [known, old] : values_) {
    if (known == name) {
      old = value;
      return;
    }
  }
  values_.emplace_back(name, value);
}

std::string_view Slots::get(std::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return value;
  }
  return {};
}

std::string with_article(std::string_view noun) {
  const bool vowel = !noun.empty() && std::string_view("aeiou").find(noun.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(noun);
}

std::string capital(std::string_view text) {
  std::string out(text);
  if (!out.empty()) out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

std::string fill(std::string_view text, const Slots& slots) {
  std::string out;
  while (!text.empty()) {
    const size_t open = text.find('{');
    const size_t close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, open));
    const std::string_view slot = text.substr(open + 1, close - open - 1);
    if (slot.starts_with("a ")) {
      out += with_article(slots.get(slot.substr(2)));
    } else if (slot.starts_with("A ")) {
      out += capital(with_article(slots.get(slot.substr(2))));
    } else if (slot.starts_with("^")) {
      out += capital(slots.get(slot.substr(1)));
    } else {
      out += slots.get(slot);
    }
    text.remove_prefix(close + 1);
  }
  return out;
}

bool Dice::allows(std::string_view kind, std::string_view a, std::string_view b) const {
  return is_held_out(kind, a, b) == (split_ == Split::kHeldOut);
}

int64_t Dice::number(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(rng_.next() % static_cast<uint64_t>(high - low + 1));
}

std::string_view Dice::pick(Words words) {
  return words[static_cast<size_t>(rng_.next() % words.size())];
}

std::string_view Dice::person(const std::vector<std::string_view>& taken) {
  for (;;) {
    const std::string_view name = pick(chance(0.5) ? kGirls : kBoys);
    if (!contains(taken, name)) return name;
  }
}

std::string_view Dice::other(Words words, const std::vector<std::string_view>& taken) {
  for (;;) {
    const std::string_view word = pick(words);
    if (!contains(taken, word)) return word;
  }
}

std::pair<std::string_view, std::string_view> Dice::couple(std::string_view kind, Words words,
                                                           const std::vector<std::string_view>& taken_people,
                                                           const std::vector<std::string_view>& taken_words) {
  for (;;) {
    const std::string_view name = person(taken_people);
    const std::string_view word = other(words, taken_words);
    if (allows(kind, name, word)) return {name, word};
  }
}

std::string Dice::say(std::string_view alternatives, const Slots& slots) {
  const auto n = std::count(alternatives.begin(), alternatives.end(), '|') + 1;
  int64_t skip = number(0, n - 1);
  for (; skip > 0; --skip) alternatives.remove_prefix(alternatives.find('|') + 1);
  return fill(alternatives.substr(0, alternatives.find('|')), slots);
}

bool is_girl(std::string_view name) {
  return std::find(kGirls.begin(), kGirls.end(), name) != kGirls.end();
}

void set_person(Slots& slots, std::string_view slot, std::string_view name) {
  const bool girl = is_girl(name);
  const std::string base(slot);
  slots.set(base, name);
  slots.set(base + "_she", girl ? "she" : "he");
  slots.set(base + "_her", girl ? "her" : "his");
  slots.set(base + "_obj", girl ? "her" : "him");
}

}  // namespace train
