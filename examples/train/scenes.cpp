// The scenes. Facts are drawn first, then told in some order, then asked about.
#include "examples/train/scenes.h"

#include <tuple>

#include "examples/train/plots.h"

namespace train {
namespace {

using View = std::string_view;

void add(std::string& text, const std::string& sentence) {
  if (!text.empty()) text += ' ';
  text += sentence;
}

/// Adds a fact, and says it in the text.
void tell(Dice& dice, Scene& scene, View ways, const Slots& slots) {
  add(scene.text, dice.say(ways, slots));
  scene.facts.push_back({ways, slots});
}

struct Owner {
  View name, thing, colour;
  int n_things = 1;
};

std::vector<Owner> draw_owners(Dice& dice) {
  std::vector<Owner> owners(static_cast<size_t>(dice.number(2, 4)));
  std::vector<View> people, things;
  for (Owner& owner : owners) {
    std::tie(owner.name, owner.thing) = dice.couple("thing", kThings, people, things);
    owner.colour = dice.pick(kColours);
    people.push_back(owner.name);
    things.push_back(owner.thing);
  }
  return owners;
}

Slots owner_slots(const Owner& owner) {
  Slots slots;
  slots.set("p", owner.name);
  slots.set("t", owner.thing);
  slots.set("c", owner.colour);
  return slots;
}

}  // namespace

Scene things_scene(Dice& dice) {
  Scene scene;
  std::vector<Owner> owners = draw_owners(dice);
  const View has = "{p} has {a c} {t}.|{p} has {a c} {t}.|{p} owns {a c} {t}.|In the bag of {p} there is {a c} {t}.";
  for (const Owner& owner : owners) tell(dice, scene, has, owner_slots(owner));
  Owner& giver = owners.front();
  Owner& taker = owners.back();
  if (dice.chance(0.35) && dice.allows("thing", taker.name, giver.thing)) {
    Slots slots = owner_slots(giver);
    slots.set("f", taker.name);
    add(scene.text, dice.say("Then {p} gives the {t} to {f}.|Later, {p} gives the {t} to {f}.", slots));
    giver.n_things = 0;
    taker.n_things = 2;
    owners.push_back({taker.name, giver.thing, giver.colour, 2});
    owners.erase(owners.begin());
    scene.facts.clear();
    for (const Owner& owner : owners) scene.facts.push_back({has, owner_slots(owner)});
  }
  for (const Owner& owner : owners) {
    const Slots slots = owner_slots(owner);
    scene.questions.push_back(
        {dice.say("Who has the {t}?|Who has the {t} now?", slots), fill("{p} has the {t}.", slots)});
    scene.questions.push_back({fill("What colour is the {t}?", slots), fill("The {t} is {c}.", slots)});
    if (owner.n_things == 1) {
      scene.questions.push_back({fill("What does {p} have?", slots), fill("{p} has {a c} {t}.", slots)});
    }
  }
  dice.shuffle(scene.questions);
  return scene;
}

Scene places_scene(Dice& dice) {
  Scene scene;
  std::vector<View> people, places, days, activities;
  const int64_t n = dice.number(2, 4);
  for (int64_t i = 0; i < n; ++i) {
    const auto [name, place] = dice.couple("place", kPlaces, people, places);
    people.push_back(name);
    places.push_back(place);
    days.push_back(dice.other(kDays, days));
    activities.push_back(dice.other(kActivities, activities));
    Slots slots;
    set_person(slots, "p", name);
    slots.set("place", place);
    slots.set("day", days.back());
    slots.set("act", activities.back());
    tell(dice, scene,
         "On {day}, {p} went to the {place} to {act}.|{p} went to the {place} on {day} to {act}.|"
         "{p} went to the {place} to {act}. That was on {day}.",
         slots);
    scene.questions.push_back({fill("Where did {p} go?", slots), fill("{p} went to the {place}.", slots)});
    scene.questions.push_back({fill("Who went to the {place}?", slots), fill("{p} went to the {place}.", slots)});
    scene.questions.push_back(
        {fill("When did {p} go to the {place}?", slots), fill("{p} went there on {day}.", slots)});
    scene.questions.push_back({fill("Why did {p} go to the {place}?", slots), fill("{p} went there to {act}.", slots)});
  }
  dice.shuffle(scene.questions);
  return scene;
}

Scene pets_scene(Dice& dice) {
  Scene scene;
  std::vector<View> people, animals, pets;
  const int64_t n = dice.number(1, 3);
  for (int64_t i = 0; i < n; ++i) {
    const auto [name, animal] = dice.couple("animal", kAnimals, people, animals);
    people.push_back(name);
    animals.push_back(animal);
    pets.push_back(dice.other(kPets, pets));
    Slots slots;
    slots.set("p", name);
    slots.set("animal", animal);
    slots.set("pet", pets.back());
    slots.set("c", dice.pick(kColours));
    slots.set("food", dice.pick(kFoods));
    slots.set("spot", dice.pick(kSpots));
    tell(dice, scene, "{p} has {a animal} called {pet}.|The {animal} of {p} is called {pet}.", slots);
    tell(dice, scene, "{pet} is {c} and sleeps {spot}.|{pet} is {c}. Every night {pet} sleeps {spot}.", slots);
    if (dice.chance(0.5)) {
      tell(dice, scene, "{pet} likes to eat {a food}.|If {pet} is good, {pet} gets {a food}.", slots);
      scene.questions.push_back({fill("What does {pet} eat?", slots), fill("{pet} eats {a food}.", slots)});
    }
    scene.questions.push_back(
        {fill("What is the {animal} of {p} called?", slots), fill("The {animal} of {p} is called {pet}.", slots)});
    scene.questions.push_back({fill("Who has {a animal}?", slots), fill("{p} has {a animal}.", slots)});
    scene.questions.push_back({fill("What kind of animal is {pet}?", slots), fill("{pet} is {a animal}.", slots)});
    scene.questions.push_back({fill("What colour is {pet}?", slots), fill("{pet} is {c}.", slots)});
    scene.questions.push_back({fill("Where does {pet} sleep?", slots), fill("{pet} sleeps {spot}.", slots)});
  }
  dice.shuffle(scene.questions);
  return scene;
}

Scene tale(Dice& dice) {
  const Plot& plot = kPlots[static_cast<size_t>(dice.number(0, static_cast<int64_t>(kPlots.size()) - 1))];
  // The lead goes together with thing, place and animal in this split, or the draw is repeated.
  View hero, companion, pet, place, thing, animal;
  const auto fits = [&] {
    const View lead = plot.about_animal ? pet : hero;
    return dice.allows("place", lead, place) && dice.allows("thing", lead, thing) &&
           dice.allows("animal", lead, animal) &&
           (dice.split() == Split::kHeldOut || dice.allows("animal", companion, animal));
  };
  do {
    hero = dice.person();
    companion = dice.person({hero});
    pet = dice.pick(kPets);
    place = dice.pick(kPlaces);
    thing = dice.pick(kThings);
    animal = dice.pick(kAnimals);
  } while (!fits());
  Slots slots;
  set_person(slots, "p", hero);
  set_person(slots, "f", companion);
  slots.set("pet", pet);
  slots.set("place", place);
  slots.set("t", thing);
  slots.set("animal", animal);
  slots.set("animal2", dice.other(kAnimals, {animal}));
  slots.set("pet2", dice.other(kPets, {slots.get("pet")}));
  slots.set("spot", dice.pick(kSpots));
  slots.set("spot2", dice.other(kSpots, {slots.get("spot")}));
  slots.set("food", dice.pick(kFoods));
  slots.set("food2", dice.other(kFoods, {slots.get("food")}));
  slots.set("c", dice.pick(kColours));
  slots.set("box", dice.pick(kContainers));
  slots.set("feel", dice.pick(kFeelings));
  slots.set("sad", dice.pick(kSadFeelings));
  slots.set("adj", dice.pick(kAdjectives));
  slots.set("weather", dice.pick(kWeathers));
  slots.set("day", dice.pick(kDays));

  Scene scene;
  scene.wish = fill(plot.wish, slots);
  for (const View sentence : plot.sentences) add(scene.text, dice.say(sentence, slots));
  for (const PlotQuestion& q : plot.questions) scene.questions.push_back({fill(q.ask, slots), fill(q.answer, slots)});
  dice.shuffle(scene.questions);
  return scene;
}

std::string retold(Dice& dice, const std::vector<Fact>& facts) {
  std::vector<const Fact*> order;
  for (const Fact& fact : facts) order.push_back(&fact);
  dice.shuffle(order);
  std::string text;
  for (const Fact* fact : order) add(text, dice.say(fact->ways, fact->slots));
  return text;
}

Scene any_scene(Dice& dice) {
  const int64_t roll = dice.number(0, 9);
  return roll < 3 ? things_scene(dice) : roll < 6 ? places_scene(dice) : roll < 8 ? pets_scene(dice) : tale(dice);
}

}  // namespace train
