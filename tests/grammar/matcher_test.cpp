// GrammarMatcher: masks against trying every token, rollback against replay, forced text, ends.
#include <gtest/gtest.h>

#include <random>

#include "hearth/grammar.h"
#include "hearth/model.h"
#include "lib/grammar/vocabulary.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace hearth {
namespace {

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

const Tokenizer& small_world() {
  static const Result<Model> model = Model::open(kSmallWorld);
  EXPECT_TRUE(model.ok()) << model.error().message;
  return model->tokenizer();
}

std::vector<Result<Grammar>> grammars() {
  const char* schema = R"({"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 5}, "kind": {"enum": ["a", "ab", "b\"c"]},
    "id": {"type": "string", "pattern": "^[a-z]{2,4}$"}, "n": {"type": "integer", "minimum": 3, "maximum": 120},
    "more": {"type": "array", "items": {"type": "string", "minLength": 2}}, "next": {"$ref": "#"}},
    "required": ["kind"], "additionalProperties": {"type": "boolean"}})";
  std::vector<Result<Grammar>> all;
  all.push_back(Grammar::json());
  all.push_back(Grammar::json({.white_space = true}));
  all.push_back(Grammar::from_json_schema(schema));
  all.push_back(Grammar::from_json_schema(schema, {.white_space = true}));
  all.push_back(Grammar::from_regex("([a-z]+ )*[A-Zé日]{1,3}|.*!"));
  all.push_back(Grammar::from_gbnf("root ::= e\ne ::= t ([+*] t)*\nt ::= [0-9]+ | \"(\" e \")\" | \"x\" e \"x\"?"));
  return all;
}

/// A random walk of at most n tokens; -1 in `taken` never occurs.
std::vector<Token> random_walk(GrammarMatcher& matcher, std::mt19937& random, size_t n) {
  std::vector<Token> taken;
  while (taken.size() < n && !matcher.ended()) {
    const auto mask = matcher.mask();
    std::vector<Token> allowed;
    for (Token id = 0; id < small_world().n_vocab(); ++id) {
      if (mask_has(*mask, id)) allowed.push_back(id);
    }
    if (allowed.empty()) break;
    const Token id = allowed[random() % allowed.size()];
    EXPECT_TRUE(matcher.accept(id).ok());
    taken.push_back(id);
  }
  return taken;
}

TEST(Matcher, MasksAreWhatTryingEveryTokenGives) {
  std::mt19937 random(1);
  for (const Result<Grammar>& grammar : grammars()) {
    ASSERT_TRUE(grammar.ok()) << grammar.error().message;
    for (int run = 0; run < 6; ++run) {
      auto matcher = GrammarMatcher::create(*grammar, small_world());
      for (int step = 0; step < 30 && !matcher->ended(); ++step) {
        const auto mask = matcher->mask();
        ASSERT_TRUE(mask.ok());
        bool any = false;
        for (Token id = 0; id < small_world().n_vocab(); ++id) {
          const auto allows = matcher->allows(id);
          ASSERT_EQ(*allows, mask_has(*mask, id))
              << "token " << id << " '" << small_world().piece(id) << "' step " << step;
          any |= *allows;
        }
        ASSERT_TRUE(any) << "a dead end";
        random_walk(*matcher, random, 1);
      }
    }
  }
}

TEST(Matcher, RollbackEqualsReplay) {
  std::mt19937 random(2);
  for (const Result<Grammar>& grammar : grammars()) {
    ASSERT_TRUE(grammar.ok());
    for (int run = 0; run < 20; ++run) {
      auto matcher = GrammarMatcher::create(*grammar, small_world());
      std::vector<Token> ids = random_walk(*matcher, random, 40);
      const size_t back = random() % (ids.size() + 1);
      matcher->rollback(back);
      ids.resize(ids.size() - back);
      auto fresh = GrammarMatcher::create(*grammar, small_world());
      for (const Token id : ids) ASSERT_TRUE(fresh->accept(id).ok());
      EXPECT_EQ(matcher->n_accepted(), fresh->n_accepted());
      EXPECT_EQ(matcher->can_end(), fresh->can_end());
      EXPECT_EQ(matcher->ended(), fresh->ended());
      const auto a = matcher->mask(), b = fresh->mask();
      EXPECT_TRUE(std::equal(a->begin(), a->end(), b->begin(), b->end()));
      EXPECT_EQ(*matcher->forced(), *fresh->forced());
      const auto copy = matcher->clone();
      EXPECT_EQ(copy->can_end(), matcher->can_end());
    }
  }
}

TEST(Matcher, ForcedTextIsAllThatCanFollow) {
  const auto grammar = Grammar::from_json_schema(
      R"({"properties": {"color": {"enum": ["red", "rose"]}}, "required": ["color"], "additionalProperties": false, "type": "object"})");
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  auto matcher = GrammarMatcher::create(*grammar, small_world());
  EXPECT_EQ(*matcher->forced(), "{\"color\":\"r");
  ASSERT_TRUE(matcher->accept(std::string_view("{\"color\":\"ro")).ok());
  EXPECT_EQ(*matcher->forced(), "se\"}");
  EXPECT_FALSE(matcher->can_end());
  ASSERT_TRUE(matcher->accept(std::string_view("se\"}")).ok());
  EXPECT_TRUE(matcher->can_end());
  EXPECT_EQ(*matcher->forced(), "");
  EXPECT_FALSE(matcher->accept(std::string_view("x")).ok());
  EXPECT_EQ(matcher->n_accepted(), 2u);
}

TEST(Matcher, EndTokensEndTheTextWhereItMayEnd) {
  const auto grammar = Grammar::from_regex("a+");
  auto matcher = GrammarMatcher::create(*grammar, small_world());
  const Token end = *small_world().eos();
  EXPECT_FALSE(mask_has(*matcher->mask(), end));
  EXPECT_FALSE(matcher->accept(end).ok());
  ASSERT_TRUE(matcher->accept(std::string_view("aa")).ok());
  EXPECT_TRUE(mask_has(*matcher->mask(), end));
  ASSERT_TRUE(matcher->accept(end).ok());
  EXPECT_TRUE(matcher->ended());
  EXPECT_FALSE(matcher->accept(std::string_view("a")).ok());
  matcher->rollback(1);
  EXPECT_FALSE(matcher->ended());
  EXPECT_TRUE(matcher->accept(std::string_view("a")).ok());
}

TEST(Matcher, TokensMayBeNamed) {
  const Token end = *small_world().eos();
  const std::string name = "<[" + std::to_string(end) + "]>";
  const auto grammar = Grammar::from_gbnf("root ::= \"a\" " + name + " \"b\"", &small_world());
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  auto matcher = GrammarMatcher::create(*grammar, small_world());
  ASSERT_TRUE(matcher->accept(std::string_view("a")).ok());
  EXPECT_TRUE(mask_has(*matcher->mask(), end));
  ASSERT_TRUE(matcher->accept(end).ok());
  EXPECT_FALSE(matcher->ended());
  EXPECT_EQ(*matcher->forced(), "b");
}

TEST(Matcher, AmbiguityAndDepthStayCheap) {
  const auto grammar = Grammar::from_gbnf("root ::= s\ns ::= \"a\" s s | \"a\" | \"(\" s \")\"");
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  const auto match = grammar->match(std::string(301, 'a'));
  ASSERT_TRUE(match.ok()) << match.error().message;
  EXPECT_TRUE(match->can_end);
  const auto deep = grammar->match(std::string(20000, '(') + "a" + std::string(20000, ')'));
  ASSERT_TRUE(deep.ok());
  EXPECT_TRUE(deep->can_end);
}

}  // namespace
}  // namespace hearth
