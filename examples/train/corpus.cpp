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
std::string recall_text(Dice& dice) {
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
  std::string out;
  for (int64_t times = dice.number(2, 4); times > 0; --times) {
    for (const std::string& fact : facts) {
      if (!out.empty()) out += separator;
      out += fact;
    }
    dice.shuffle(facts);
  }
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

std::string question_chat(Dice& dice, int64_t n, Stage stage) {
  std::string out;
  for (; n > 0; --n) {
    const Question question = stage == Stage::kSums ? any_question(dice) : any_reading_question(dice);
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

std::string plain_text(Dice& dice) {
  if (dice.chance(0.6)) return sum_lines(dice);
  if (dice.chance(0.8)) return any_scene(dice).text;
  return count_question(dice).answer;
}

/// A chat ends with the marker alone, as the model itself stops there.
std::string end_chat(std::string text) {
  text.pop_back();
  return text;
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

std::string document(Dice& dice, Stage stage) {
  if (stage == Stage::kRecall && dice.chance(0.25)) return recall_text(dice).append(kEndOfText);
  const int64_t roll = dice.number(0, 99);
  const int64_t low = stage == Stage::kSums ? 1 : 3, high = stage == Stage::kSums ? 5 : 8;
  if (roll < 10) return plain_text(dice).append(kEndOfText);
  if (roll < 16) return end_chat(tool_chat(dice));
  std::string out;
  if (dice.chance(0.08)) out += message("system", "You are a helpful assistant.");
  if (roll < 60) return end_chat(out + scene_chat(dice, static_cast<size_t>(dice.number(low, high))));
  if (roll < 92) return end_chat(out + question_chat(dice, dice.number(low, high), stage));
  for (int64_t n = dice.number(2, 3); n > 0; --n) {
    out += dice.chance(0.5) ? scene_chat(dice, 2) : question_chat(dice, 2, stage);
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
