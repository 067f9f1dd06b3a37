// The skills. Numbers stay below 100; digits are tokens of their own.
#include "examples/train/skills.h"

#include <algorithm>

namespace train {
namespace {

using View = std::string_view;

std::string text_of(int64_t n) {
  return std::to_string(n);
}

View at(Words words, int64_t i) {
  return words[static_cast<size_t>(i)];
}

/// Distinct words, as many as `low` to `high`.
std::vector<View> draw_list(Dice& dice, Words words, int64_t low, int64_t high) {
  std::vector<View> list;
  for (int64_t n = dice.number(low, high); n > 0; --n) list.push_back(dice.other(words, list));
  return list;
}

std::string join(const std::vector<View>& words, View separator) {
  std::string out;
  for (const View word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

Question day_question(Dice& dice) {
  const bool months = dice.chance(0.3);
  const Words names = months ? kMonths : kDays;
  const auto n = static_cast<int64_t>(names.size());
  const int64_t i = dice.number(0, n - 1);
  Slots slots;
  slots.set("kind", months ? "month" : "day");
  slots.set("x", at(names, i));
  slots.set("next", at(names, (i + 1) % n));
  slots.set("last", at(names, (i + n - 1) % n));
  if (dice.chance(0.5)) {
    return {dice.say("Which {kind} comes after {x}?|What comes after {x}?", slots),
            fill("{next} comes after {x}.", slots)};
  }
  return {dice.say("Which {kind} comes before {x}?|What comes before {x}?", slots),
          fill("{last} comes before {x}.", slots)};
}

Question animal_question(Dice& dice) {
  const AnimalFact& fact =
      kAnimalFacts[static_cast<size_t>(dice.number(0, static_cast<int64_t>(kAnimalFacts.size()) - 1))];
  Slots slots;
  slots.set("animal", fact.kind);
  slots.set("sound", fact.sound);
  slots.set("food", fact.food);
  slots.set("home", fact.home);
  switch (dice.number(0, 2)) {
    case 0:
      return {dice.say("What does {a animal} say?|What sound does {a animal} make?", slots),
              fill("{A animal} says {sound}.", slots)};
    case 1: return {fill("What does {a animal} eat?", slots), fill("{A animal} eats {food}.", slots)};
    default: return {fill("Where does {a animal} live?", slots), fill("{A animal} lives {home}.", slots)};
  }
}

Question spelling_question(Dice& dice) {
  const Words lists[] = {kThings, kAnimals, kFoods, kPlaces, kColours};
  const View word = dice.pick(lists[dice.number(0, 4)]);
  std::string letters;
  for (const char c : word) {
    if (!letters.empty()) letters += '-';
    letters += c;
  }
  Slots slots;
  slots.set("word", word);
  slots.set("letters", letters);
  slots.set("n", static_cast<int64_t>(word.size()));
  slots.set("first", word.substr(0, 1));
  slots.set("last", word.substr(word.size() - 1));
  switch (dice.number(0, 3)) {
    case 0:
    case 1: return {dice.say("Spell the word {word}.|How do you spell {word}?", slots), fill("{letters}", slots)};
    case 2:
      return {fill("What is the first letter of {word}?", slots),
              fill("The first letter of {word} is {first}.", slots)};
    default: return {fill("How many letters has the word {word}?", slots), fill("{letters} has {n} letters.", slots)};
  }
}

Question times_question(Dice& dice) {
  Slots slots;
  const int64_t a = dice.number(1, 9), b = dice.number(1, 9);
  slots.set("a", a);
  slots.set("b", b);
  slots.set("c", a * b);
  return {dice.say("What is {a} x {b}?|What is {a} times {b}?|{a} x {b} =", slots), fill("{a} x {b} = {c}", slots)};
}

Question number_question(Dice& dice) {
  Slots slots;
  const int64_t a = dice.number(1, 98), b = dice.number(0, 20);
  switch (dice.number(0, 3)) {
    case 0:
      slots.set("a", a);
      slots.set("b", a + 1);
      return {fill("Which number comes after {a}?", slots), fill("{b} comes after {a}.", slots)};
    case 1:
      slots.set("a", a);
      slots.set("b", a - 1);
      return {fill("Which number comes before {a}?", slots), fill("{b} comes before {a}.", slots)};
    case 2:
      slots.set("word", at(kNumbers, b));
      slots.set("b", b);
      return {fill("Write {b} as a word.", slots), fill("{word}", slots)};
    default: {
      int64_t other = dice.number(1, 99);
      if (other == a) other = a + 1;
      slots.set("a", a);
      slots.set("b", other);
      slots.set("more", std::max(a, other));
      return {fill("Which is more, {a} or {b}?", slots), fill("{more} is more.", slots)};
    }
  }
}

Question self_question(Dice& dice) {
  switch (dice.number(0, 4)) {
    case 0: return {dice.say("Hello!|Hi!|Good morning!|Hello, how are you?"), "Hello! How can I help you?"};
    case 1: return {dice.say("Who are you?|What are you?"), "I am a small language model. I live in a small world."};
    case 2: return {dice.say("Who made you?|Where do you come from?"), "I was made by the training example of hearth."};
    case 3: return {dice.say("Thank you!|Thanks!|Thank you very much."), "You are welcome!"};
    default:
      return {dice.say("What can you do?|How can you help me?"),
              "I can tell stories, answer questions about them, count, add and spell."};
  }
}

}  // namespace

Question sum_question(Dice& dice) {
  const bool minus = dice.chance(0.45);
  int64_t a = 0, b = 0;
  do {
    a = dice.number(0, 99);
    b = dice.number(0, minus ? a : 99 - a);
  } while (!dice.allows(minus ? "difference" : "sum", text_of(a), text_of(b)));
  Slots slots;
  slots.set("a", a);
  slots.set("b", b);
  slots.set("c", minus ? a - b : a + b);
  slots.set("food", dice.pick(kFoods));
  if (dice.chance(0.25) && a > 1 && b > 1) {
    set_person(slots, "p", dice.person());
    set_person(slots, "f", dice.person({slots.get("p")}));
    slots.set("t", dice.pick(kThings));
    const std::string what = dice.say("coins|stones|shells|buttons|nuts|tickets");
    slots.set("things", what);
    if (minus) {
      return {fill("{p} has {a} {things} and gives {b} of them to {f}. How many {things} has {p} left?", slots),
              fill("{a} - {b} = {c}, so {p} has {c} {things} left.", slots)};
    }
    return {fill("{p} has {a} {things} and {f} gives {p_obj} {b} more. How many {things} has {p} now?", slots),
            fill("{a} + {b} = {c}, so {p} has {c} {things} now.", slots)};
  }
  if (minus) {
    return {dice.say("What is {a} - {b}?|What is {a} minus {b}?|{a} - {b} =", slots), fill("{a} - {b} = {c}", slots)};
  }
  return {dice.say("What is {a} + {b}?|What is {a} plus {b}?|{a} + {b} =", slots), fill("{a} + {b} = {c}", slots)};
}

Question count_question(Dice& dice) {
  int64_t from = 0, to = 0;
  do {
    from = dice.number(0, 94);
    to = from + dice.number(2, 8);
  } while (to > 99 || !dice.allows("count", text_of(from), text_of(to)));
  const bool down = dice.chance(0.3);
  std::string answer;
  for (int64_t i = 0; i <= to - from; ++i) {
    if (i > 0) answer += ", ";
    answer += text_of(down ? to - i : from + i);
  }
  Slots slots;
  slots.set("a", down ? to : from);
  slots.set("b", down ? from : to);
  return {dice.say(down ? "Count down from {a} to {b}." : "Count from {a} to {b}.|Count up from {a} to {b}.", slots),
          answer};
}

Question list_question(Dice& dice) {
  const bool food = dice.chance(0.4);
  const Words words = food ? kFoods : kThings;
  std::vector<View> list;
  do {  // the first two decide
    list = draw_list(dice, words, 3, 6);
  } while (!dice.allows("list", list[0], list[1]));
  Slots slots;
  slots.set("list", join(list, ", "));
  const int64_t i = dice.number(0, static_cast<int64_t>(list.size()) - 1);
  slots.set("nth", at(kOrdinals, i));
  slots.set("item", list[static_cast<size_t>(i)]);
  slots.set("last", list.back());
  slots.set("n", static_cast<int64_t>(list.size()));
  switch (dice.number(0, 4)) {
    case 0:
    case 1:
      return {fill("List: {list}\nWhat is the {nth} word in the list?", slots),
              fill("The {nth} word is {item}.", slots)};
    case 2:
      return {fill("List: {list}\nWhat is the last word in the list?", slots), fill("The last word is {last}.", slots)};
    case 3: {
      std::string lines;
      for (const View word : list) lines += (lines.empty() ? "- " : "\n- ") + std::string(word);
      return {fill("Write this as a list: {list}", slots), lines};
    }
    default: {
      std::string lines;
      int64_t line = 0;
      for (const View word : list) lines += (lines.empty() ? "" : "\n") + text_of(++line) + ". " + std::string(word);
      return {fill("Write this as a list with numbers: {list}", slots), lines};
    }
  }
}

Question code_question(Dice& dice) {
  Slots slots;
  const auto [name, thing] = dice.couple("record", kThings);
  slots.set("p", name);
  slots.set("t", thing);
  slots.set("n", dice.number(1, 99));
  slots.set("c", dice.pick(kColours));
  switch (dice.number(0, 3)) {
    case 0:
    case 1: {
      const struct {
        View key;
        std::string value;
      } fields[] = {{"age", "{n}"},
                    {"colour", "\"{c}\""},
                    {"place", "\"" + std::string(dice.pick(kPlaces)) + "\""},
                    {"food", "\"" + std::string(dice.pick(kFoods)) + "\""},
                    {"animal", "\"" + std::string(dice.pick(kAnimals)) + "\""}};
      const auto& [key, quoted] = fields[dice.number(0, 4)];
      slots.set("key", key);
      slots.set("quoted", fill(quoted, slots));
      std::string plain(slots.get("quoted"));
      std::erase(plain, '"');
      slots.set("plain", plain);
      return {fill("Write as JSON: name {p}, {key} {plain}, thing {t}", slots),
              "{\"name\": \"" + std::string(name) + fill("\", \"{key}\": {quoted}, \"thing\": \"{t}\"", slots) + "}"};
    }
    case 2:
      return {fill("name = \"{p}\"\nthing = \"{t}\"\ncolour = \"{c}\"\nprint(thing)\nWhat does this print?", slots),
              fill("{t}", slots)};
    default:
      return {fill("name = \"{p}\"\nthing = \"{t}\"\nnumber = {n}\nprint(name, number)\nWhat does this print?", slots),
              fill("{p} {n}", slots)};
  }
}

Question fact_question(Dice& dice) {
  switch (dice.number(0, 8)) {
    case 0: return day_question(dice);
    case 1:
    case 2: return animal_question(dice);
    case 3:
    case 4: return spelling_question(dice);
    case 5: return times_question(dice);
    case 6: return number_question(dice);
    case 7: {
      const ColourFact& fact =
          kColourFacts[static_cast<size_t>(dice.number(0, static_cast<int64_t>(kColourFacts.size()) - 1))];
      Slots slots;
      slots.set("x", fact.subject);
      slots.set("c", fact.colour);
      return {fill("What colour is {x}?", slots), fill("{^x} is {c}.", slots)};
    }
    default: return self_question(dice);
  }
}

Question any_question(Dice& dice) {
  switch (dice.number(0, 7)) {
    case 0:
    case 1:
    case 2: return sum_question(dice);
    case 3: return count_question(dice);
    case 4: return code_question(dice);
    case 5: return list_question(dice);
    default: return fact_question(dice);
  }
}

}  // namespace train
