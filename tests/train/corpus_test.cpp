// The corpus and its held-out questions: what training never contains, and what every document keeps to.
#include "examples/train/corpus.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "examples/train/scenes.h"

namespace train {
namespace {

constexpr int kDocuments = 4000;

/// Documents of training.
const std::vector<std::string>& documents() {
  static const std::vector<std::string> kAll = [] {
    Dice dice(3, Split::kTraining);
    std::vector<std::string> all;
    for (int i = 0; i < kDocuments; ++i) all.push_back(document(dice, static_cast<Stage>(i % 2)).text);
    return all;
  }();
  return kAll;
}

TEST(TrainCorpus, TrainingNeverContainsAHeldOutPrompt) {
  std::string all;
  for (const std::string& text : documents()) all += text;
  for (const HeldOutQuestion& question : held_out_questions(200)) {
    EXPECT_EQ(all.find(question.prompt), std::string::npos) << question.prompt;
  }
}

TEST(TrainCorpus, HeldOutSumsOccurInNoForm) {
  const std::regex sum(R"((\d+) ([+-]|plus|minus) (\d+))");
  size_t seen = 0;
  for (const std::string& text : documents()) {
    for (std::sregex_iterator it(text.begin(), text.end(), sum), end; it != end; ++it, ++seen) {
      const std::string op = (*it)[2];
      const bool plus = op == "+" || op == "plus";
      ASSERT_FALSE(is_held_out(plus ? "sum" : "difference", (*it)[1].str(), (*it)[3].str())) << it->str();
    }
  }
  EXPECT_GT(seen, 1000u);
}

TEST(TrainCorpus, HeldOutOwnersAndPlacesOccurInNoForm) {
  const std::regex has(R"((\w+) (?:has|owns|had|there is) (?:(?:a|an) \w+|the) (\w+)\.)"),
      went(R"((\w+) went to the (\w+))");
  size_t seen = 0;
  for (const std::string& text : documents()) {
    for (const auto& [rule, kind] : {std::pair{&has, "thing"}, std::pair{&went, "place"}}) {
      for (std::sregex_iterator it(text.begin(), text.end(), *rule), end; it != end; ++it, ++seen) {
        const std::string name = (*it)[1];
        if (name == "They" || name == "they" || name == "Who" || it->str().find(" old ") != std::string::npos) continue;
        ASSERT_FALSE(is_held_out(kind, name, (*it)[2].str())) << it->str();
      }
    }
  }
  EXPECT_GT(seen, 1000u);
}

TEST(TrainCorpus, HeldOutQuestionsAreAboutHeldOutCombinations) {
  const std::regex sum(R"((\d+) ([+-]) (\d+) = (\d+))");
  size_t sums = 0;
  std::set<std::string> kinds;
  for (const HeldOutQuestion& question : held_out_questions(600)) {
    kinds.insert(question.kind);
    EXPECT_TRUE(question.prompt.ends_with("<|im_start|>assistant\n"));
    EXPECT_FALSE(question.answer.empty());
    std::smatch found;
    if (question.kind != "sum") continue;
    ASSERT_TRUE(std::regex_search(question.answer, found, sum)) << question.answer;
    const bool plus = found[2] == "+";
    const int a = std::stoi(found[1]), b = std::stoi(found[3]), c = std::stoi(found[4]);
    EXPECT_EQ(c, plus ? a + b : a - b);
    EXPECT_TRUE(is_held_out(plus ? "sum" : "difference", found[1].str(), found[3].str()));
    ++sums;
  }
  EXPECT_GT(sums, 80u);
  EXPECT_EQ(kinds.size(), 10u);
}

TEST(TrainCorpus, SlotsAreAllFilledAndTextIsAscii) {
  for (const std::string& text : documents()) {
    for (const char c : text) ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << text;
    ASSERT_EQ(text.find("  "), std::string::npos) << text;
    ASSERT_TRUE(text.ends_with(kMessageEnd) || text.ends_with(kEndOfText)) << text;
  }
}

TEST(TrainCorpus, ASceneRetoldHasTheSameFactsInOtherWords) {
  Dice dice(9, Split::kTraining);
  int other = 0;
  for (int i = 0; i < 300; ++i) {
    const Scene scene = i % 3 == 0 ? things_scene(dice) : i % 3 == 1 ? places_scene(dice) : pets_scene(dice);
    ASSERT_FALSE(scene.facts.empty());
    const std::string again = retold(dice, scene.facts);
    other += again != scene.text;
    for (const Fact& fact : scene.facts) {
      for (const char* slot : {"p", "t", "c", "place", "day", "act", "animal", "pet", "food", "spot"}) {
        const std::string plain = std::string("{") + slot + "}", with_article = std::string("{a ") + slot + "}";
        if (fact.ways.find(plain) == std::string_view::npos && fact.ways.find(with_article) == std::string_view::npos) {
          continue;  // of another fact about the same pet
        }
        ASSERT_NE(fact.slots.get(slot), "");
        EXPECT_NE(again.find(fact.slots.get(slot)), std::string::npos) << slot << "\n" << again;
      }
    }
  }
  EXPECT_GT(other, 250);
}

TEST(TrainCorpus, TheSameSeedGivesTheSameQuestions) {
  const auto a = held_out_questions(50), b = held_out_questions(50);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].prompt + a[i].answer, b[i].prompt + b[i].answer);
}

}  // namespace
}  // namespace train
