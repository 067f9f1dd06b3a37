// The keywords of JSON schemas.
#pragma once

#include <cstdint>
#include <string_view>

namespace hearth::grammar {

/// Keywords by what is done with them.
enum class Word : uint8_t {
  kIgnored,
  kUnknown,
  kRef,
  kType,
  kEnum,
  kConst,
  kAllOf,
  kAnyOf,
  kOneOf,
  kNot,
  kIf,
  kMinimum,
  kMaximum,
  kAboveMinimum,
  kBelowMaximum,
  kMultipleOf,
  kMinLength,
  kMaxLength,
  kPattern,
  kFormat,
  kObjectWord,
  kRequired,
  kPropertyNames,
  kMinProperties,
  kMaxProperties,
  kDependencies,
  kUnevaluatedProperties,
  kArrayWord,
  kMinItems,
  kMaxItems,
  kUniqueItems,
  kContains,
  kMinContains,
  kMaxContains,
  kRefused,
};

/// kUnknown for a name that no draft has.
Word word_of(std::string_view name);

}  // namespace hearth::grammar
