// The lists of words.h. Longer lists make copying from the text the only way to answer well.
#include "examples/train/words.h"

namespace train {
namespace {

using View = std::string_view;

constexpr View girls[] = {"Anna", "Clara", "Emma",  "Greta", "Ida",   "Julia", "Lena", "Mary",
                          "Nina", "Olga",  "Paula", "Rosa",  "Sara",  "Tina",  "Vera", "Alice",
                          "Lucy", "Kate",  "Jane",  "Ella",  "Hanna", "Mila",  "Zoe",  "Eva"};
constexpr View boys[] = {"Ben",  "David", "Felix", "Henry",  "Jack", "Karl",  "Leo",    "Mark",
                         "Noah", "Oscar", "Peter", "Robert", "Sam",  "Tom",   "Victor", "Will",
                         "Adam", "Paul",  "John",  "Luke",   "Eric", "Frank", "George", "Max"};
constexpr View pets[] = {"Bella",  "Bruno", "Coco",  "Daisy", "Fluffy", "Ginger", "Luna", "Milo",  "Nemo",  "Oreo",
                         "Pepper", "Rex",   "Rocky", "Ruby",  "Shadow", "Snowy",  "Spot", "Teddy", "Tiger", "Toby"};
constexpr View animals[] = {"dog",  "cat",   "cow",   "horse",  "sheep",    "pig",  "duck",     "hen",    "frog",
                            "fox",  "bear",  "mouse", "rabbit", "owl",      "goat", "fish",     "donkey", "bee",
                            "wolf", "goose", "snake", "bird",   "squirrel", "lion", "hedgehog", "crow"};
constexpr View places[] = {"forest", "garden",  "park",    "school",  "market",   "river",  "lake",    "beach",
                           "farm",   "library", "village", "castle",  "mountain", "bakery", "station", "harbour",
                           "bridge", "mill",    "kitchen", "museum",  "field",    "cave",   "island",  "tower",
                           "barn",   "meadow",  "hill",    "theatre", "church",   "zoo"};
constexpr View things[] = {"kite",   "ball",  "book",   "hat",    "key",     "lamp",   "cup",    "boat",     "drum",
                           "doll",   "bell",  "coat",   "scarf",  "ring",    "map",    "pencil", "spoon",    "chair",
                           "mirror", "clock", "flute",  "basket", "bottle",  "brush",  "button", "candle",   "coin",
                           "flag",   "glove", "hammer", "jar",    "ladder",  "letter", "medal",  "needle",   "painting",
                           "pillow", "plate", "pot",    "puzzle", "robot",   "rope",   "shell",  "shoe",     "sled",
                           "stick",  "stone", "sword",  "tent",   "ticket",  "toy",    "train",  "umbrella", "vase",
                           "violin", "wagon", "watch",  "wheel",  "whistle", "blanket"};
constexpr View colours[] = {"red",   "blue",   "green", "yellow", "black", "white",
                            "brown", "orange", "pink",  "purple", "grey",  "golden"};
constexpr View foods[] = {"cake",     "apple",  "pear",   "plum",   "cookie",  "pie",    "carrot",
                          "sandwich", "banana", "cherry", "nut",    "pancake", "tomato", "potato",
                          "peach",    "lemon",  "melon",  "muffin", "waffle",  "bun"};
constexpr View activities[] = {
    "pick flowers", "read a book",     "meet a friend",  "play football", "draw a picture",
    "sing a song",  "buy bread",       "feed the birds", "fly a kite",    "look at the stars",
    "eat lunch",    "take a walk",     "swim",           "dance",         "rest",
    "paint",        "listen to music", "help the farmer"};
constexpr View spots[] = {"under a stone",   "behind a tree", "under the table", "in the grass",
                          "near the door",   "on the roof",   "beside the well", "in a hole",
                          "behind the wall", "under the bed", "on a shelf",      "near the fire",
                          "in the hay",      "on the stairs", "under a bush",    "beside the path"};
constexpr View containers[] = {"box", "chest", "bag", "drawer", "cupboard", "trunk", "sack", "parcel"};
constexpr View feelings[] = {"happy", "glad", "proud", "excited", "cheerful", "thankful"};
constexpr View sad_feelings[] = {"sad", "hungry", "tired", "afraid", "cold", "lonely", "worried"};
constexpr View weathers[] = {"sunny", "rainy", "windy", "cold", "warm", "cloudy", "snowy", "quiet"};
constexpr View adjectives[] = {"small", "big", "old", "young", "clever", "lazy", "brave", "shy", "funny", "kind"};
constexpr View days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
constexpr View months[] = {"January", "February", "March",     "April",   "May",      "June",
                           "July",    "August",   "September", "October", "November", "December"};
constexpr View numbers[] = {"zero",     "one",     "two",     "three",     "four",     "five",     "six",
                            "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",   "thirteen",
                            "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"};
constexpr View ordinals[] = {"first", "second", "third", "fourth", "fifth", "sixth"};

constexpr AnimalFact animal_facts[] = {
    {"dog", "woof", "meat", "in a kennel"},     {"cat", "meow", "mice", "in a house"},
    {"cow", "moo", "grass", "in a barn"},       {"horse", "neigh", "hay", "in a stable"},
    {"sheep", "baa", "grass", "in a field"},    {"pig", "oink", "potatoes", "in a sty"},
    {"duck", "quack", "bread", "on a pond"},    {"hen", "cluck", "corn", "in a henhouse"},
    {"frog", "croak", "flies", "in a pond"},    {"bear", "growl", "honey", "in a cave"},
    {"mouse", "squeak", "cheese", "in a hole"}, {"owl", "hoot", "mice", "in a tree"},
    {"bee", "buzz", "nectar", "in a hive"},     {"wolf", "howl", "meat", "in the forest"},
    {"goose", "honk", "grass", "on a lake"},    {"snake", "hiss", "mice", "in the grass"},
    {"bird", "tweet", "seeds", "in a nest"},    {"lion", "roar", "meat", "in the savanna"},
    {"crow", "caw", "seeds", "in a tree"},      {"donkey", "hee-haw", "hay", "in a stable"},
};
constexpr ColourFact colour_facts[] = {
    {"the sky", "blue"}, {"grass", "green"},     {"snow", "white"},       {"the sun", "yellow"},
    {"a tomato", "red"}, {"a lemon", "yellow"},  {"coal", "black"},       {"a carrot", "orange"},
    {"milk", "white"},   {"chocolate", "brown"}, {"an elephant", "grey"}, {"a cherry", "red"},
    {"a frog", "green"}, {"the night", "black"}, {"a plum", "purple"},
};

}  // namespace

const Words kGirls = girls, kBoys = boys, kPets = pets, kAnimals = animals, kPlaces = places, kThings = things,
            kColours = colours, kFoods = foods, kActivities = activities, kSpots = spots, kContainers = containers,
            kFeelings = feelings, kSadFeelings = sad_feelings, kWeathers = weathers, kAdjectives = adjectives,
            kDays = days, kMonths = months, kNumbers = numbers, kOrdinals = ordinals;
const std::span<const AnimalFact> kAnimalFacts = animal_facts;
const std::span<const ColourFact> kColourFacts = colour_facts;

}  // namespace train
