// The plots. What a question asks for stands in every alternative of the sentence that tells it.
#include "examples/train/plots.h"

namespace train {
namespace {

using View = std::string_view;

// --- the treasure ------------------------------------------------------------------------------------------------
constexpr View found[] = {
    "One {weather} {day}, {p} went to the {place}.|On a {weather} {day}, {p} walked to the {place}.|{p} went to the "
    "{place} one {weather} {day}.",
    "{^spot}, {p_she} found {a c} {t}.|{^p_she} found {a c} {t} {spot}.|There {p_she} saw {a c} {t} {spot}.",
    "{^p_she} showed the {t} to {f}.|{^p_she} took it to {f}.|{^p_she} ran to {f} with it.",
    "{f} had an old {box}.|In the house of {f} there was an old {box}.",
    "Together they opened the {box}, and inside was {a food}.|They opened the {box} and found {a food} in it.",
    "They shared it and were {feel}.|They ate it together and felt {feel}.|{p} and {f} were very {feel}.",
};
constexpr PlotQuestion found_questions[] = {
    {"Where did {p} go?", "{p} went to the {place}."},  {"What did {p} find?", "{p} found {a c} {t}."},
    {"What colour was the {t}?", "The {t} was {c}."},   {"Where was the {t}?", "The {t} was {spot}."},
    {"Who had an old {box}?", "{f} had an old {box}."}, {"What was in the {box}?", "There was {a food} in the {box}."},
    {"How did they feel?", "They felt {feel}."},
};

// --- lost and found ----------------------------------------------------------------------------------------------
constexpr View lost[] = {
    "{p} had {a c} {t}.|Once {p} had {a c} {t}.|Long ago, {p} had {a c} {t}.",
    "{^p_she} took it everywhere.|It was {p_her} favourite thing.|{^p_she} loved it very much.",
    "But on {day}, {p_she} lost it at the {place}.|One {day}, {p_she} lost it at the {place}.",
    "{p} looked {spot2}, but it was not there.|{p} was {sad} and looked everywhere.|\"Where is my {t}?\" {p_she} "
    "cried.",
    "Then {f} came with {f_her} {animal}.|Just then {f} came along with {f_her} {animal}.",
    "The {animal} found the {t} {spot}.|The clever {animal} found the {t} {spot}.",
    "{p} gave the {animal} {a food} to say thank you.|To say thank you, {p} gave the {animal} {a food}.",
    "In the end everybody was {feel}.|So they all went home and were {feel}.",
};
constexpr PlotQuestion lost_questions[] = {
    {"What did {p} lose?", "{p} lost {a c} {t}."},
    {"Where did {p} lose the {t}?", "{p} lost it at the {place}."},
    {"Who came with {f_her} {animal}?", "{f} came with {f_her} {animal}."},
    {"Who found the {t}?", "The {animal} found the {t}."},
    {"Where was the {t}?", "The {t} was {spot}."},
    {"What did {p} give the {animal}?", "{p} gave the {animal} {a food}."},
    {"What colour was the {t}?", "The {t} was {c}."},
};

// --- two animals -------------------------------------------------------------------------------------------------
constexpr View friends[] = {
    "Once upon a time there was {a adj} {animal} called {pet}.|There once was {a adj} {animal} whose name was {pet}.",
    "{pet} lived near the {place}.|The home of {pet} was near the {place}.",
    "One {weather} {day}, {pet} met {a animal2} called {pet2}.|On a {weather} {day}, {a animal2} called {pet2} came "
    "by.",
    "{pet2} was {sad}.|\"I am {sad},\" said {pet2}.|\"What is wrong?\" asked {pet}. \"I am {sad},\" said {pet2}.",
    "{pet} had {a food} and gave half of it to {pet2}.|So {pet} shared {a food} with {pet2}.",
    "Then they played {spot} until the evening.|After that they sat {spot} and told stories.",
    "From that day on they were friends.|They stayed friends for ever.|And they both felt {feel}.",
};
constexpr PlotQuestion friends_questions[] = {
    {"What was the name of the {animal}?", "The {animal} was called {pet}."},
    {"Where did {pet} live?", "{pet} lived near the {place}."},
    {"Who did {pet} meet?", "{pet} met {pet2}."},
    {"How did {pet2} feel at first?", "{pet2} was {sad}."},
    {"What did {pet} share?", "{pet} shared {a food}."},
    {"What kind of animal was {pet2}?", "{pet2} was {a animal2}."},
};

// --- a present ---------------------------------------------------------------------------------------------------
constexpr View present[] = {
    "It was the birthday of {p}.|On {day}, {p} had a birthday.",
    "{f} came with a present in a {box}.|{f} brought a {box} with a present in it.",
    "{p} opened it and saw {a c} {t}.|In it {p} found {a c} {t}.",
    "\"Thank you!\" said {p}. \"I always wanted {a t}.\"|{p} was {feel} and thanked {f}.",
    "Then they went to the {place}.|Later they walked to the {place} together.",
    "There they ate {a food} and {a food2}.|They had {a food} and {a food2} there.",
    "{A animal} watched them {spot}.|{^spot} sat {a animal} and watched them.",
    "It was a {weather} day.|The day was {weather}.",
};
constexpr PlotQuestion present_questions[] = {
    {"Whose birthday was it?", "It was the birthday of {p}."},
    {"Who brought a present?", "{f} brought a present."},
    {"What was the present?", "The present was {a c} {t}."},
    {"Where did they go?", "They went to the {place}."},
    {"What did they eat?", "They ate {a food} and {a food2}."},
    {"Which animal watched them?", "{A animal} watched them."},
    {"What colour was the {t}?", "The {t} was {c}."},
};

// --- help --------------------------------------------------------------------------------------------------------
constexpr View help[] = {
    "{p} lived near the {place}.|The house of {p} stood near the {place}.",
    "One {weather} night {p_she} heard {a animal} {spot}.|One {weather} night there was {a animal} {spot}.",
    "It was {sad}, so {p} brought it {a food}.|The {animal} was {sad}, and {p} gave it {a food}.",
    "{p} called it {pet}.|\"I will call you {pet},\" said {p}.|{p} gave it the name {pet}.",
    "The next day {f} came and said: \"That is my {animal}!\"|On {day}, {f} came to look for {f_her} {animal}.",
    "{f} was {feel} and gave {p} {a c} {t}.|To thank {p}, {f} gave {p_obj} {a c} {t}.",
    "Now {p} and {f} are friends.|Since then they visit each other every {day}.",
};
constexpr PlotQuestion help_questions[] = {
    {"Where did {p} live?", "{p} lived near the {place}."},
    {"Where was the {animal}?", "The {animal} was {spot}."},
    {"What did {p} call the {animal}?", "{p} called the {animal} {pet}."},
    {"Whose {animal} was it?", "It was the {animal} of {f}."},
    {"What did {f} give {p}?", "{f} gave {p} {a c} {t}."},
    {"What did the {animal} get to eat?", "The {animal} got {a food}."},
};

constexpr Plot plots[] = {
    {"Tell me a story about {p} and {a t}.", found, found_questions},
    {"Tell me a story about {p} and {a t}.", lost, lost_questions},
    {"Tell me a story about {a animal} called {pet}.", friends, friends_questions, true},
    {"Tell me a story about a present for {p}.", present, present_questions},
    {"Tell me a story about {p} and {a animal}.", help, help_questions},
};

}  // namespace

const std::span<const Plot> kPlots = plots;

}  // namespace train
