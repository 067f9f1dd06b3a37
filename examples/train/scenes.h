// Scenes: a short text about the small world, with questions that it answers.
#pragma once

#include <string>
#include <vector>

#include "examples/train/dice.h"

namespace train {

struct Question {
  std::string ask;
  std::string answer;
};

/// One thing that is so, and ways to say it.
struct Fact {
  std::string_view ways;  ///< separated by "|", with slots
  Slots slots;
};

struct Scene {
  std::string wish{};  ///< what a user says to be told this text; empty: nobody asks for it
  std::string text{};
  std::vector<Question> questions{};  ///< those that the split allows; shuffled
  std::vector<Fact> facts{};          ///< of the text, where each can stand alone and in any order
};

/// Who has what; sometimes a thing changes hands.
Scene things_scene(Dice& dice);
/// Who went where, when and why.
Scene places_scene(Dice& dice);
/// Animals, their names, looks and habits.
Scene pets_scene(Dice& dice);
/// A story with a plot (plots.cpp).
Scene tale(Dice& dice);
/// One of the above.
Scene any_scene(Dice& dice);
/// The facts in another order and in other words.
std::string retold(Dice& dice, const std::vector<Fact>& facts);

}  // namespace train
