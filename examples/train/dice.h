// Dice: seeded choices, sentences with slots, and the rule that keeps combinations out of training.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/train/words.h"
#include "hearth/sampler.h"

namespace train {

/// Training sees only combinations that are not held out; held-out questions are made of the others alone.
enum class Split { kTraining, kHeldOut };

/// One combination in ten is kept out of training; its text decides, so that no list has to be kept.
/// `kind` separates the tables: "thing" (person, thing), "sum" (a, b), ...
bool is_held_out(std::string_view kind, std::string_view a, std::string_view b);

/// Values of the slots of a sentence.
class Slots {
 public:
  void set(std::string_view name, std::string_view value);
  void set(std::string_view name, int64_t value) { set(name, std::to_string(value)); }
  /// Empty when there is no such slot.
  std::string_view get(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

/// "apple" -> "an apple"
std::string with_article(std::string_view noun);
/// First letter as a capital.
std::string capital(std::string_view text);
/// Writes the values of `slots` into `text`: {x} the value, {a x} and {A x} with its article, {^x} with a capital.
std::string fill(std::string_view text, const Slots& slots);

class Dice {
 public:
  Dice(uint64_t seed, Split split) : rng_(seed), split_(split) {}

  Split split() const { return split_; }
  /// Whether this combination may be used in this split.
  bool allows(std::string_view kind, std::string_view a, std::string_view b) const;

  /// In [low, high].
  int64_t number(int64_t low, int64_t high);
  bool chance(double p) { return rng_.uniform() < p; }
  std::string_view pick(Words words);
  /// A girl's or a boy's name that is none of `taken`.
  std::string_view person(const std::vector<std::string_view>& taken = {});
  /// A person and a word that may go together, none of either taken before.
  std::pair<std::string_view, std::string_view> couple(std::string_view kind, Words words,
                                                       const std::vector<std::string_view>& taken_people = {},
                                                       const std::vector<std::string_view>& taken_words = {});
  /// A word that is none of `taken`.
  std::string_view other(Words words, const std::vector<std::string_view>& taken);
  /// One of the alternatives, which "|" separates, with its slots filled.
  std::string say(std::string_view alternatives, const Slots& slots = {});
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[static_cast<size_t>(rng_.next() % i)]);
  }

 private:
  hearth::Rng rng_;
  Split split_;
};

bool is_girl(std::string_view name);
/// Sets {NAME}, {NAME_she}, {NAME_her} (possessive) and {NAME_obj} for a person.
void set_person(Slots& slots, std::string_view slot, std::string_view name);

}  // namespace train
