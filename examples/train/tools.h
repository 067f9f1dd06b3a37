// Tool calls: a system message names the tools, the assistant calls one, reads its result and answers.
#pragma once

#include "examples/train/dice.h"

namespace train {

struct ToolDialogue {
  std::string system, ask, call, result, answer;
};

ToolDialogue tool_dialogue(Dice& dice);

}  // namespace train
