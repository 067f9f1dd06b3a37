// Skills: questions that need no story: sums, counting, days, colours, animals, spelling, lists, code, greetings.
#pragma once

#include "examples/train/scenes.h"

namespace train {

/// A sum or a difference of numbers to 99, plain or as a small story.
Question sum_question(Dice& dice);
/// Count up or down from one number to another.
Question count_question(Dice& dice);
/// Something about a list that the question gives.
Question list_question(Dice& dice);
/// What a few lines of code or a record hold.
Question code_question(Dice& dice);
/// Days, months, colours, animals, spelling, the times table, numbers and who the model is: facts, never held out.
Question fact_question(Dice& dice);
/// One of the above: three of eight are sums, which take the most examples.
Question any_question(Dice& dice);

}  // namespace train
