// Random schemas: whatever their grammars let through satisfies them, as a validator of the tests' own judges; and a
// matcher that goes back stands where one that never went on does.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <regex>

#include "hearth/grammar.h"
#include "hearth/model.h"
#include "support/paths.h"
#include "tests/support/json_validator.h"

namespace hearth {
namespace {

using Json = nlohmann::json;
using Random = std::mt19937_64;

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

int below(Random& random, int n) {
  return static_cast<int>(random() % static_cast<uint64_t>(n));
}
bool chance(Random& random, int percent) {
  return below(random, 100) < percent;
}

/// More digits than a double holds, or a large exponent: the validator would round, and judge another number.
bool has_long_number(const std::string& text) {
  size_t run = 0;
  for (const char c : text) {
    run = (c >= '0' && c <= '9') || c == '.' ? run + 1 : 0;
    if (run > 15) return true;
  }
  return std::regex_search(text, std::regex("[0-9][eE][+-]?[0-9]{2}"));
}

class SchemaMaker {
 public:
  explicit SchemaMaker(Random& random) : random_(random) {}

  Json document() {
    Json schema = chance(random_, 60) ? object(3) : make(3);
    schema["$defs"] = {{"leaf", make(0)}};
    return schema;
  }

 private:
  Json make(int depth) {
    switch (below(random_, depth > 0 ? 10 : 5)) {
      case 0: return text();
      case 1: return number();
      case 2: return {{"type", "boolean"}};
      case 3: return {{"enum", Json::array({"a", 1, nullptr, "long word", 2.5, Json::array({1})})}};
      case 4: return {{"type", Json::array({"null", "integer"})}};
      case 5: return {{"$ref", "#/$defs/leaf"}};
      case 6: return {{"anyOf", Json::array({make(depth - 1), make(depth - 1)})}};
      case 7: return array(depth - 1);
      case 8: return both(depth - 1);
      default: return object(depth - 1);
    }
  }
  Json text() {
    Json schema = {{"type", "string"}};
    const char* const kPatterns[] = {"^[a-c]+$", "^(x|yy){1,3}$", "\\\\d", "^\\\\w{2,5}-[0-9]{2}$", "a.b"};
    if (chance(random_, 40)) {
      schema["pattern"] = Json::parse(std::string("\"") + kPatterns[below(random_, 5)] + "\"");
    } else {
      if (chance(random_, 50)) schema["minLength"] = below(random_, 4);
      if (chance(random_, 50)) schema["maxLength"] = 4 + below(random_, 6);
    }
    return schema;
  }
  Json number() {
    Json schema = {{"type", chance(random_, 70) ? "integer" : "number"}};
    if (chance(random_, 50)) schema["minimum"] = below(random_, 50) - 25;
    if (chance(random_, 50)) schema["exclusiveMaximum"] = 30 + below(random_, 500);
    if (schema["type"] == "integer" && chance(random_, 20)) schema["multipleOf"] = 2 + below(random_, 5);
    return schema;
  }
  Json array(int depth) {
    Json schema = {{"type", "array"}};
    if (chance(random_, 40)) schema["prefixItems"] = Json::array({make(depth), make(depth)});
    schema["items"] = chance(random_, 20) ? Json(false) : make(depth);
    if (chance(random_, 40)) schema["minItems"] = below(random_, 2);
    if (chance(random_, 60)) schema["maxItems"] = 2 + below(random_, 2);
    return schema;
  }
  Json object(int depth) {
    Json schema = {{"type", "object"}, {"properties", Json::object()}};
    const char* const kKeys[] = {"id", "name", "x y", "\"q\"", "n"};
    for (const char* key : kKeys) {
      if (!chance(random_, 60)) continue;
      schema["properties"][key] = make(depth);
      if (chance(random_, 50)) schema["required"].push_back(key);
    }
    if (chance(random_, 50)) schema["additionalProperties"] = chance(random_, 60) ? Json(false) : make(depth);
    if (chance(random_, 20)) schema["patternProperties"] = {{"^p[0-9]$", make(depth)}};
    if (chance(random_, 20)) schema["minProperties"] = 1 + below(random_, 2);
    if (chance(random_, 20)) schema["maxProperties"] = 3;
    return schema;
  }
  Json both(int depth) {
    if (chance(random_, 50)) return {{"allOf", Json::array({number(), number()})}};
    return {{"if", {{"type", "integer"}}}, {"then", number()}, {"else", make(depth)}};
  }

  Random& random_;
};

class RandomSchemas : public ::testing::Test {
 protected:
  RandomSchemas() : model(Model::open(kSmallWorld)) {}

  /// A token that may follow; what ends a string or a list more often than not.
  Token choose(std::span<const uint64_t> mask, Random& random) const {
    std::vector<Token> all, ends;
    for (Token id = 0; id < model->tokenizer().n_vocab(); ++id) {
      if (!mask_has(mask, id)) continue;
      all.push_back(id);
      const std::string_view piece = model->tokenizer().piece(id);
      if (model->tokenizer().is_end(id) || piece == "\"" || piece == "}" || piece == "]") ends.push_back(id);
    }
    if (all.empty()) return -1;
    const auto& from = !ends.empty() && chance(random, 60) ? ends : all;
    return from[static_cast<size_t>(below(random, static_cast<int>(from.size())))];
  }
  /// The masks of two matchers.
  static bool agree(GrammarMatcher& a, GrammarMatcher& b) {
    const auto left = a.mask();
    const std::vector<uint64_t> copy(left->begin(), left->end());
    const auto right = b.mask();
    return std::equal(copy.begin(), copy.end(), right->begin(), right->end()) && a.can_end() == b.can_end();
  }

  Result<Model> model;
};

/// HEARTH_TEXTS=10000 in the environment takes more of them.
TEST_F(RandomSchemas, TextsSatisfyThem) {
  const char* asked = std::getenv("HEARTH_TEXTS");
  const size_t n_wanted = asked ? std::strtoull(asked, nullptr, 10) : 1500;
  Random random(20261129);
  size_t n_texts = 0, n_refused = 0, n_cut = 0, n_schemas = 0, n_other = 0;
  testing::JsonValidator other{Json(true)};
  while (n_texts < n_wanted) {
    const Json schema = SchemaMaker(random).document();
    ++n_schemas;
    const auto grammar = Grammar::from_json_schema(schema.dump(), {.white_space = chance(random, 30)});
    if (!grammar) {
      ++n_refused;
      continue;
    }
    const testing::JsonValidator validator(schema);
    const auto first = GrammarMatcher::create(*grammar, model->tokenizer());
    ASSERT_TRUE(first.ok());
    for (int i = 0; i < 5; ++i) {
      auto matcher = first->clone();
      std::string text;
      while (!matcher->ended() && matcher->n_accepted() < 300) {
        const Token id = choose(*matcher->mask(), random);
        if (id < 0) break;
        ASSERT_TRUE(matcher->accept(id).ok());
        if (!matcher->ended()) text += model->tokenizer().piece(id);
      }
      if (!matcher->ended()) {
        ++n_cut;
        continue;
      }
      if (has_long_number(text)) continue;
      ++n_texts;
      const Json value = Json::parse(text, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << text << "\n" << schema.dump();
      ASSERT_TRUE(validator.valid(value)) << text << "\n" << schema.dump();
      n_other += !other.valid(value);
    }
    other = validator;
  }
  std::cout << n_texts << " texts of " << n_schemas << " schemas, " << n_refused << " refused; " << n_cut
            << " texts were cut\n";
  EXPECT_LT(n_refused, n_schemas / 2);
  EXPECT_GT(n_other, n_texts / 2) << "another schema's validator finds fault with most texts";
}

TEST_F(RandomSchemas, GoingBackIsAsIfOneHadNeverGoneOn) {
  Random random(7);
  size_t n_checks = 0;
  while (n_checks < 150) {
    const auto grammar = Grammar::from_json_schema(SchemaMaker(random).document().dump());
    if (!grammar) continue;
    auto matcher = GrammarMatcher::create(*grammar, model->tokenizer());
    std::vector<Token> taken;
    for (int step = 0; step < 40; ++step) {
      const Token id = choose(*matcher->mask(), random);
      if (id < 0) break;
      ASSERT_TRUE(matcher->accept(id).ok());
      taken.push_back(id);
      if (!chance(random, 15) && !matcher->ended()) continue;
      const auto back = static_cast<size_t>(1 + below(random, static_cast<int>(taken.size())));
      matcher->rollback(back);
      taken.resize(taken.size() - back);
      auto fresh = GrammarMatcher::create(*grammar, model->tokenizer());
      for (const Token again : taken) ASSERT_TRUE(fresh->accept(again).ok());
      ASSERT_EQ(matcher->n_accepted(), taken.size());
      ASSERT_FALSE(matcher->ended());
      ASSERT_TRUE(agree(*matcher, *fresh));
      ++n_checks;
    }
  }
}

}  // namespace
}  // namespace hearth
