// Plots: stories as data. A sentence is alternatives with slots; a question is asked of the finished story.
#pragma once

#include <span>
#include <string_view>

namespace train {

/// Slots of every plot: {p} hero, {f} friend, {c} colour, {t} thing, {place}, {spot}, {spot2}, {box}, {food}, {food2},
/// {feel}, {sad}, {animal}, {pet}, {animal2}, {pet2}, {adj}, {weather}, {day}; people also have _she, _her and _obj.
struct PlotQuestion {
  std::string_view ask, answer;
};
struct Plot {
  std::string_view wish;                        ///< "Tell me a story about {p} and {a t}."
  std::span<const std::string_view> sentences;  ///< alternatives are separated by "|"
  std::span<const PlotQuestion> questions;
  bool about_animal = false;  ///< the lead is {pet}, not {p}
};

extern const std::span<const Plot> kPlots;

}  // namespace train
