// The tools of the small world.
#include "examples/train/tools.h"

namespace train {
namespace {

struct Tool {
  std::string_view name, parameter;
  const Words* arguments;
  std::string_view ask, answer;
};

const Tool kTools[] = {
    {"weather", "place", &kPlaces, "What is the weather at the {x}?|How is the weather at the {x}?",
     "The weather at the {x} is {r}."},
    {"find", "thing", &kThings, "Where is my {x}?|Can you find my {x}?", "Your {x} is {r}."},
    {"price", "food", &kFoods, "What does {a x} cost?|What is the price of {a x}?", "{A x} costs {r} coins."},
    {"owner", "animal", &kAnimals, "Who has lost {a x}?|Whose {x} is this?", "The {x} belongs to {r}."},
};

}  // namespace

ToolDialogue tool_dialogue(Dice& dice) {
  std::vector<const Tool*> tools;
  for (const Tool& tool : kTools) tools.push_back(&tool);
  size_t n_offered = 0, chosen = 0;
  std::string_view argument;
  do {  // all of it again: not every tool has an argument on each side of the hold-out rule
    dice.shuffle(tools);
    n_offered = static_cast<size_t>(dice.number(2, 4));
    chosen = static_cast<size_t>(dice.number(0, static_cast<int64_t>(n_offered) - 1));
    argument = dice.pick(*tools[chosen]->arguments);
  } while (!dice.allows("tool", tools[chosen]->name, argument));
  const Tool& tool = *tools[chosen];
  tools.resize(n_offered);

  std::string system = "Tools: ";
  for (const Tool* offered : tools) {
    if (offered != tools.front()) system += ", ";
    system.append(offered->name).append("(").append(offered->parameter).append(")");
  }
  const std::string results[] = {std::string(dice.pick(kWeathers)), std::string(dice.pick(kSpots)),
                                 std::to_string(dice.number(1, 99)), std::string(dice.person())};
  Slots slots;
  slots.set("x", argument);
  slots.set("r", results[&tool - kTools]);
  slots.set("name", tool.name);
  slots.set("parameter", tool.parameter);
  return {system, dice.say(tool.ask, slots),
          "<tool_call>{\"name\": \"" + fill("{name}\", \"arguments\": ", slots) + "{\"" +
              fill("{parameter}\": \"{x}\"", slots) + "}}</tool_call>",
          std::string(slots.get("r")), fill(tool.answer, slots)};
}

}  // namespace train
