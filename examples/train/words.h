// The nouns of the small world: lists from which every sentence of the corpus is drawn.
#pragma once

#include <span>
#include <string_view>

namespace train {

using Words = std::span<const std::string_view>;

extern const Words kGirls, kBoys;   // names
extern const Words kPets;           // names of animals; none is a person's
extern const Words kAnimals;        // "dog"
extern const Words kPlaces;         // "forest": used with "the"
extern const Words kThings;         // "kite": countable, can be carried
extern const Words kColours;        // "red"
extern const Words kFoods;          // "cake": countable
extern const Words kActivities;     // "pick flowers"
extern const Words kSpots;          // "under a stone"
extern const Words kContainers;     // "box"
extern const Words kFeelings;       // "happy"
extern const Words kSadFeelings;    // "sad"
extern const Words kWeathers;       // "sunny"
extern const Words kAdjectives;     // "small": of animals
extern const Words kDays, kMonths;  // in order
extern const Words kNumbers;        // "zero" to "twenty"
extern const Words kOrdinals;       // "first" to "sixth"

/// What everybody knows of an animal. {kind, sound, food, home}
struct AnimalFact {
  std::string_view kind, sound, food, home;
};
extern const std::span<const AnimalFact> kAnimalFacts;

/// The colour that a thing always has. {"The sky", "blue"}
struct ColourFact {
  std::string_view subject, colour;
};
extern const std::span<const ColourFact> kColourFacts;

}  // namespace train
