// How documents are put together.
#include "examples/train/corpus.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "examples/train/chat_text.h"
#include "examples/train/skills.h"
#include "examples/train/tools.h"

namespace train {
namespace {

/// Facts about pairs, then the same facts shuffled: who has or likes what can only be told from the first time.
Document recall_text(Dice& dice) {
  struct Form {
    std::string_view kind, sentence;
    Words words;
  };
  const Form forms[] = {{"thing", "{p} has the {w}.", kThings},
                        {"thing", "The {w} is in the bag of {p}.", kThings},
                        {"place", "{p} went to the {w}.", kPlaces},
                        {"animal", "{p} has {a w}.", kAnimals},
                        {"record", "name = \"{p}\", thing = \"{w}\"", kThings}};
  const Form& form = forms[dice.number(0, static_cast<int64_t>(std::size(forms)) - 1)];
  std::vector<std::string_view> people, words;
  std::vector<std::string> facts;
  for (int64_t n = dice.number(2, 8); n > 0; --n) {
    const auto [name, word] = dice.couple(form.kind, form.words, people, words);
    people.push_back(name);
    words.push_back(word);
    Slots slots;
    slots.set("p", name);
    slots.set("w", word);
    facts.push_back(fill(form.sentence, slots));
  }
  const std::string_view separator = dice.chance(0.5) ? "\n" : " ";
  Document out;
  for (int64_t times = dice.number(2, 4); times > 0; --times) {
    for (const std::string& fact : facts) {
      if (!out.text.empty()) out.text += separator;
      out.text += fact;
    }
    if (out.known == 0) out.known = out.text.size();
    dice.shuffle(facts);
  }
  out.text += kEndOfText;
  return out;
}

/// A scene, and the same facts in other words and another order: nothing but the text tells who belongs to what.
Document retold_text(Dice& dice) {
  const int64_t kind = dice.number(0, 9);
  const Scene scene = kind < 4 ? things_scene(dice) : kind < 8 ? places_scene(dice) : pets_scene(dice);
  Document out{scene.text, scene.text.size()};
  for (int64_t times = dice.number(1, 3); times > 0; --times) out.text += "\n" + retold(dice, scene.facts);
  out.text += kEndOfText;
  return out;
}

/// Words in any order, then again in that order.
Document copy_text(Dice& dice) {
  const Words lists[] = {kThings, kAnimals, kFoods, kPlaces, kColours, kGirls, kBoys, kPets, kDays, kContainers};
  const std::string_view separators[] = {", ", " and ", " is ", "\n"};
  const std::string_view separator = dice.chance(0.7) ? " " : separators[dice.number(0, 3)];
  std::string once;
  for (int64_t n = dice.number(3, 16); n > 0; --n) {
    if (!once.empty()) once += separator;
    once += dice.pick(lists[dice.number(0, static_cast<int64_t>(std::size(lists)) - 1)]);
  }
  Document out{once, once.size()};
  for (int64_t times = dice.number(1, 3); times > 0; --times) out.text += "\n" + once;
  out.text += kEndOfText;
  return out;
}

/// A text and a question about it in one message.
std::string text_with_question(Dice& dice, const std::string& text, const std::string& ask) {
  return text + (dice.chance(0.5) ? "\n" : " ") + ask;
}

std::string scene_chat(Dice& dice, size_t n_questions) {
  const Scene scene = any_scene(dice);
  n_questions = std::min(n_questions, scene.questions.size());
  std::string out;
  size_t next = 0;
  if (!scene.wish.empty() && dice.chance(0.5)) {
    out += user(dice.chance(0.1) ? "Tell me a story." : scene.wish) + assistant(scene.text);
  } else {
    out += user(text_with_question(dice, scene.text, scene.questions[0].ask)) + assistant(scene.questions[0].answer);
    next = 1;
  }
  for (; next < n_questions; ++next) out += user(scene.questions[next].ask) + assistant(scene.questions[next].answer);
  return out;
}

std::string question_chat(Dice& dice, int64_t n) {
  std::string out;
  for (; n > 0; --n) {
    const Question question = any_question(dice);
    out += user(question.ask) + assistant(question.answer);
  }
  return out;
}

std::string tool_chat(Dice& dice) {
  const ToolDialogue d = tool_dialogue(dice);
  return message("system", d.system) + user(d.ask) + assistant(d.call) + message("tool", d.result) +
         assistant(d.answer);
}

/// Many sums, a line each: what takes the longest to learn is seen the most.
std::string sum_lines(Dice& dice) {
  std::string out;
  for (int64_t n = dice.number(10, 40); n > 0; --n) out += sum_question(dice).answer + (n > 1 ? "\n" : "");
  return out;
}

Document plain_text(Dice& dice) {
  if (dice.chance(0.3)) return dice.chance(0.5) ? recall_text(dice) : copy_text(dice);
  std::string text = dice.chance(0.55)  ? sum_lines(dice)
                     : dice.chance(0.8) ? any_scene(dice).text
                                        : count_question(dice).answer;
  return {text.append(kEndOfText)};
}

/// A chat ends with the marker alone, as the model itself stops there.
Document end_chat(std::string text) {
  text.pop_back();
  return {std::move(text)};
}

HeldOutQuestion scene_question(Dice& dice, const std::string& kind) {
  const Scene scene = kind == "things"   ? things_scene(dice)
                      : kind == "places" ? places_scene(dice)
                      : kind == "pets"   ? pets_scene(dice)
                                         : tale(dice);
  const Question& question = scene.questions.front();
  const bool told = kind == "told tale";
  std::string prompt = told ? user(scene.wish) + assistant(scene.text) + user(question.ask)
                            : user(text_with_question(dice, scene.text, question.ask));
  return {kind, prompt.append(kAnswerStart), question.answer};
}

HeldOutQuestion held_out_question(Dice& dice, const std::string& kind) {
  if (kind == "tool") {
    const ToolDialogue d = tool_dialogue(dice);
    return {kind, (message("system", d.system) + user(d.ask)).append(kAnswerStart), d.call};
  }
  if (kind == "sum" || kind == "count" || kind == "list" || kind == "code") {
    const Question question = kind == "sum"     ? sum_question(dice)
                              : kind == "count" ? count_question(dice)
                              : kind == "list"  ? list_question(dice)
                                                : code_question(dice);
    return {kind, user(question.ask).append(kAnswerStart), question.answer};
  }
  return scene_question(dice, kind);
}

}  // namespace

Document document(Dice& dice, Stage stage) {
  const int64_t roll = dice.number(0, 99);
  if (stage == Stage::kCopying) {
    if (roll < 25) return copy_text(dice);
    if (roll < 45) return recall_text(dice);
    if (roll < 70) return retold_text(dice);
    return end_chat(roll < 90 ? scene_chat(dice, 8) : question_chat(dice, 5));
  }
  if (roll < 11) return plain_text(dice);
  if (roll < 23) return retold_text(dice);
  if (roll < 28) return end_chat(tool_chat(dice));
  std::string out;
  if (dice.chance(0.08)) out += message("system", "You are a helpful assistant.");
  const int64_t n = dice.number(3, 8);
  if (roll < 68) return end_chat(out + scene_chat(dice, static_cast<size_t>(n)));
  if (roll < 94) return end_chat(out + question_chat(dice, n));
  for (int64_t parts = dice.number(2, 3); parts > 0; --parts) {
    out += dice.chance(0.5) ? scene_chat(dice, 2) : question_chat(dice, 2);
  }
  return end_chat(out);
}

std::vector<HeldOutQuestion> held_out_questions(size_t n, uint64_t seed) {
  const std::string kinds[] = {"things", "sum",       "places", "tale", "list", "pets",
                               "sum",    "told tale", "count",  "code", "tool"};
  Dice dice(seed, Split::kHeldOut);
  std::vector<HeldOutQuestion> questions;
  std::set<std::string> seen;
  for (size_t i = 0; questions.size() < n; ++i) {
    HeldOutQuestion question = held_out_question(dice, kinds[i % std::size(kinds)]);
    if (seen.insert(question.prompt).second) questions.push_back(std::move(question));
  }
  return questions;
}

bool write_held_out(const std::string& path, const std::vector<HeldOutQuestion>& questions) {
  std::ofstream out(path, std::ios::binary);
  for (const HeldOutQuestion& q : questions) {
    out << nlohmann::ordered_json{{"kind", q.kind}, {"prompt", q.prompt}, {"answer", q.answer}}.dump() << '\n';
  }
  return static_cast<bool>(out.flush());
}

std::vector<HeldOutQuestion> read_held_out(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<HeldOutQuestion> questions;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_discarded()) return {};
    questions.push_back({json.value("kind", ""), json.value("prompt", ""), json.value("answer", "")});
  }
  return questions;
}

}  // namespace train
