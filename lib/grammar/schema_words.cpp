// Names of keywords.
#include "lib/grammar/schema_words.h"

namespace hearth::grammar {
namespace {

struct WordRow {
  std::string_view name;
  Word word;
};
constexpr WordRow kWords[] = {
    {"$ref", Word::kRef},
    {"type", Word::kType},
    {"enum", Word::kEnum},
    {"const", Word::kConst},
    {"allOf", Word::kAllOf},
    {"anyOf", Word::kAnyOf},
    {"oneOf", Word::kOneOf},
    {"not", Word::kNot},
    {"if", Word::kIf},
    {"minimum", Word::kMinimum},
    {"maximum", Word::kMaximum},
    {"exclusiveMinimum", Word::kAboveMinimum},
    {"exclusiveMaximum", Word::kBelowMaximum},
    {"multipleOf", Word::kMultipleOf},
    {"minLength", Word::kMinLength},
    {"maxLength", Word::kMaxLength},
    {"pattern", Word::kPattern},
    {"format", Word::kFormat},
    {"properties", Word::kObjectWord},
    {"patternProperties", Word::kObjectWord},
    {"additionalProperties", Word::kObjectWord},
    {"required", Word::kRequired},
    {"propertyNames", Word::kPropertyNames},
    {"minProperties", Word::kMinProperties},
    {"maxProperties", Word::kMaxProperties},
    {"dependencies", Word::kDependencies},
    {"dependentRequired", Word::kDependencies},
    {"dependentSchemas", Word::kDependencies},
    {"unevaluatedProperties", Word::kUnevaluatedProperties},
    {"items", Word::kArrayWord},
    {"prefixItems", Word::kArrayWord},
    {"additionalItems", Word::kArrayWord},
    {"minItems", Word::kMinItems},
    {"maxItems", Word::kMaxItems},
    {"uniqueItems", Word::kUniqueItems},
    {"contains", Word::kContains},
    {"minContains", Word::kMinContains},
    {"maxContains", Word::kMaxContains},
    {"unevaluatedItems", Word::kRefused},
    {"$dynamicRef", Word::kRefused},
    {"$recursiveRef", Word::kRefused},
    {"contentEncoding", Word::kIgnored},
    {"then", Word::kIgnored},
    {"else", Word::kIgnored},
    {"extends", Word::kRefused},
    {"disallow", Word::kRefused},
    {"divisibleBy", Word::kRefused},
};

}  // namespace

Word word_of(std::string_view name) {
  for (const WordRow& row : kWords) {
    if (row.name == name) return row.word;
  }
  return Word::kUnknown;
}

}  // namespace hearth::grammar
