// Speculative decoding: the text of plain decoding, whatever is drafted, and drafts that end where they lose time.
#include <cmath>
#include <map>
#include <optional>

#include "hearth/hearth.h"
#include "lib/session/draft_pace.h"
#include "support/family_test.h"

namespace hearth {
namespace {

using testing::FamilyModel;

/// Knows the texts that will be written, and proposes them with a fault now and then.
class Prophet : public DraftSource {
 public:
  Prophet(std::vector<std::vector<Token>> texts, int wrong_every) : texts_(std::move(texts)), every_(wrong_every) {}
  const char* name() const override { return "prophet"; }
  bool is_free() const override { return true; }
  Status propose(std::span<DraftRequest> requests) override {
    for (DraftRequest& request : requests) {
      const auto& text = texts_[static_cast<size_t>(request.seq)];
      for (size_t i = request.text.size(); i < text.size() && std::ssize(request.tokens) < request.n; ++i) {
        const bool wrong = every_ > 0 && ++n_proposed_ % every_ == 0;
        request.tokens.push_back(wrong ? (text[i] + 1) % FamilyModel::kVocab : text[i]);
      }
    }
    return {};
  }

 private:
  std::vector<std::vector<Token>> texts_;
  int every_, n_proposed_ = 0;
};

Speculator prophet(std::vector<std::vector<Token>> texts, int wrong_every) {
  auto made =
      Speculator::create(std::make_unique<Prophet>(std::move(texts), wrong_every), {.max_draft = 7, .adaptive = false});
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

class Speculation : public testing::FamilyTest {
 protected:
  Session session(int32_t n_seqs = 1, int32_t n_ctx = 256) const {
    auto made = Session::create(*model_, {.n_ctx = n_ctx,
                                          .n_seqs = n_seqs,
                                          .n_logits = 8 * n_seqs,
                                          .k_type = KVType::kF32,
                                          .v_type = KVType::kF32,
                                          .n_threads = 1,
                                          .batch_invariant = true});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static std::vector<Token> prompt(int who) {
    std::vector<Token> ids;
    for (int i = 0; i < 20 + who; ++i) ids.push_back(3 + (i * 7 + who) % 250);
    return ids;
  }
  static GenerateOptions options(bool greedy, uint64_t seed = 1) {
    return {.max_tokens = 60, .sampler = {.seed = seed, .greedy = greedy, .repeat_penalty = 1.1f}, .ignore_end = true};
  }
  static std::vector<Token> whole(const Generation& g) {
    std::vector<Token> ids = g.prompt_ids;
    ids.insert(ids.end(), g.ids.begin(), g.ids.end());
    return ids;
  }
};

TEST_P(Speculation, DraftsChangeNoText) {
  Session s = session();
  for (const bool greedy : {true, false}) {
    GenerateOptions o = options(greedy);
    const auto plain = s.generate(std::span<const Token>(prompt(0)), o);
    ASSERT_TRUE(plain) << plain.error().message;
    for (const int wrong_every : {0, 1, 2, 3, 5, 7, 11}) {
      Speculator speculator = prophet({whole(*plain)}, wrong_every);
      o.speculator = &speculator;
      const auto drafted = s.generate(std::span<const Token>(prompt(0)), o);
      ASSERT_TRUE(drafted) << drafted.error().message;
      EXPECT_EQ(drafted->ids, plain->ids) << wrong_every;
      EXPECT_EQ(drafted->text, plain->text);
      const SpeculationStats stats = speculator.stats();
      EXPECT_GT(stats.drafted, 0);
      EXPECT_LE(stats.steps, 60);
      if (wrong_every == 0) {
        EXPECT_EQ(stats.accepted, stats.drafted);
        EXPECT_LE(stats.steps, 60 / 8 + 2);
      } else if (wrong_every == 1) {
        EXPECT_EQ(stats.accepted, 0);
      }
    }
  }
}

TEST_P(Speculation, SeveralTextsAtOnce) {
  constexpr int kTexts = 3;
  std::vector<std::vector<Token>> expected;
  for (int i = 0; i < kTexts; ++i) {
    Session s = session();
    const auto plain = s.generate(std::span<const Token>(prompt(i)), options(i == 0, 5));
    ASSERT_TRUE(plain) << plain.error().message;
    expected.push_back(whole(*plain));
  }
  Session s = session(kTexts, 1024);
  Speculator speculator = prophet(expected, 4);
  std::vector<Generator> generators;
  std::vector<BatchToken> batch;
  for (int i = 0; i < kTexts; ++i) {
    auto made = Generator::create(*model_, prompt(i), options(i == 0, 5));
    ASSERT_TRUE(made) << made.error().message;
    generators.push_back(std::move(*made));
    const auto ids = prompt(i);
    for (size_t p = 0; p < ids.size(); ++p) batch.push_back({ids[p], static_cast<int32_t>(p), i, p + 1 == ids.size()});
  }
  std::vector<SpeculativeText> texts;
  for (int i = 0; i < kTexts; ++i) texts.push_back({.seq = i, .generator = &generators[i], .first_row = i});
  for (const SpeculativeText& text : texts) ASSERT_TRUE(speculator.begin(text));
  while (!batch.empty()) {
    const auto decoded = s.decode(batch);
    ASSERT_TRUE(decoded) << decoded.error().message;
    for (SpeculativeText& text : texts) {
      if (text.generator->finished()) continue;
      const auto taken = speculator.accept(s, text, [](const GeneratedToken&) { return true; });
      ASSERT_TRUE(taken) << taken.error().message;
    }
    batch.clear();
    ASSERT_TRUE(speculator.plan(s, texts, batch));
  }
  for (int i = 0; i < kTexts; ++i) {
    std::vector<Token> got = generators[i].prompt();
    got.insert(got.end(), generators[i].ids().begin(), generators[i].ids().end());
    EXPECT_EQ(got, expected[i]) << i;
  }
  EXPECT_LT(speculator.stats().steps, 50);
}

INSTANTIATE_TEST_SUITE_P(All, Speculation, ::testing::Values("llama", "gemma3", "qwen3next", "qwen35"),
                         [](const auto& name) { return std::string(name.param); });

/// Two models of one vocabulary.
class DraftModel : public ::testing::Test {
 protected:
  DraftModel()
      : bytes_(testing::TinyModel().gguf()), other_bytes_(testing::TinyModel({.n_layers = 1, .seed = 2}).gguf()) {}
  void SetUp() override {
    auto model = Model::from_memory(bytes_), other = Model::from_memory(other_bytes_);
    ASSERT_TRUE(model && other);
    model_.emplace(std::move(*model));
    other_.emplace(std::move(*other));
    auto made = Session::create(*model_, {.n_ctx = 256, .n_logits = 8, .n_threads = 1, .batch_invariant = true});
    ASSERT_TRUE(made) << made.error().message;
    session_.emplace(std::move(*made));
  }

  std::vector<std::byte> bytes_, other_bytes_;
  std::optional<Model> model_, other_;
  std::optional<Session> session_;
};

TEST_F(DraftModel, ThatIsTheModelItselfIsAlwaysRight) {
  auto speculator = Speculator::draft_model(*session_, *model_, {.max_draft = 5, .adaptive = false});
  ASSERT_TRUE(speculator) << speculator.error().message;
  for (const bool greedy : {true, false}) {
    GenerateOptions o{.max_tokens = 50, .sampler = {.greedy = greedy, .temperature = 1}, .ignore_end = true};
    const auto plain = session_->generate("abcd", o);
    o.speculator = &*speculator;
    const auto drafted = session_->generate("abcd", o);
    ASSERT_TRUE(plain && drafted);
    EXPECT_EQ(drafted->ids, plain->ids);
  }
  EXPECT_GT(speculator->stats().drafted, 70);
  EXPECT_EQ(speculator->stats().accepted, speculator->stats().drafted);
}

/// Chi-square of pairs of tokens against the model's own probabilities, with drafts of a model that thinks otherwise.
TEST_F(DraftModel, SampledTextHasTheDistributionOfTheModel) {
  constexpr int kTexts = 4000, kChoices = 5;
  auto speculator = Speculator::draft_model(*session_, *other_, {.max_draft = 3, .adaptive = false});
  ASSERT_TRUE(speculator) << speculator.error().message;
  GenerateOptions o{.max_tokens = 3, .ignore_end = true, .speculator = &*speculator};
  o.sampler = {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1};
  for (Token id = 0; id < 300; ++id) {
    if (id < 40 || id >= 40 + kChoices) o.sampler.logit_bias.push_back({id, -INFINITY});
  }
  const std::vector<Token> prompt{1, 50, 60, 70};
  const auto probabilities = [&](std::vector<Token> text) {
    session_->cache().clear();
    EXPECT_TRUE(session_->prefill(text));
    std::vector<double> p;
    double sum = 0;
    for (int i = 0; i < kChoices; ++i) sum += p.emplace_back(std::exp(double{session_->logits(0)[40 + i]}));
    for (double& x : p) x /= sum;
    return p;
  };
  std::map<std::pair<Token, Token>, double> expected;
  const auto first = probabilities(prompt);
  for (Token a = 0; a < kChoices; ++a) {
    const auto second = probabilities({1, 50, 60, 70, 40 + a});
    for (Token b = 0; b < kChoices; ++b) expected[{a, b}] = kTexts * first[a] * second[b];
  }
  std::map<std::pair<Token, Token>, int> counted;
  for (int seed = 0; seed < kTexts; ++seed) {
    o.sampler.seed = static_cast<uint64_t>(seed);
    const auto made = session_->generate(std::span<const Token>(prompt), o);
    ASSERT_TRUE(made) << made.error().message;
    ++counted[{made->ids[0] - 40, made->ids[1] - 40}];
  }
  double chi_square = 0;
  for (const auto& [pair, e] : expected) chi_square += (counted[pair] - e) * (counted[pair] - e) / e;
  EXPECT_LT(chi_square, 51.2);  // 24 degrees of freedom: 0.1% of fair samples are above
  const SpeculationStats stats = speculator->stats();
  EXPECT_GT(stats.accepted, stats.drafted / 10);
  EXPECT_LT(stats.accepted, stats.drafted);
}

TEST_F(DraftModel, KeepsToAGrammar) {
  const auto grammar = Grammar::from_gbnf("root ::= (\"ab\" | \"cd\")+ \"!\"");
  ASSERT_TRUE(grammar) << grammar.error().message;
  for (const Model* draft : {&*model_, &*other_}) {
    auto speculator = Speculator::draft_model(*session_, *draft, {.max_draft = 5, .adaptive = false});
    ASSERT_TRUE(speculator);
    GenerateOptions o{.max_tokens = 40, .sampler = {.temperature = 1}, .grammar = *grammar};
    const auto plain = session_->generate("x", o);
    o.speculator = &*speculator;
    const auto drafted = session_->generate("x", o);
    ASSERT_TRUE(plain) << plain.error().message;
    ASSERT_TRUE(drafted) << drafted.error().message;
    EXPECT_EQ(drafted->ids, plain->ids);
    EXPECT_EQ(drafted->stop_reason, plain->stop_reason);
    EXPECT_GT(speculator->stats().drafted, 0);
  }
}

TEST_F(DraftModel, OfAnotherVocabularyIsRefusedWithTheDifference) {
  const auto bytes = testing::TinyModel({.n_vocab = 2000}).gguf();
  const auto large = Model::from_memory(bytes);
  ASSERT_TRUE(large) << large.error().message;
  const auto made = Speculator::draft_model(*session_, *large);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "the draft model has another vocabulary: 2000 tokens, and 300 in the model");
}

TEST_F(DraftModel, LookupRepeatsWhatRepeatsItself) {
  auto lookup = Speculator::lookup({}, {.max_draft = 7, .adaptive = false});
  ASSERT_TRUE(lookup);
  GenerateOptions o{.max_tokens = 120, .sampler = {.greedy = true}, .ignore_end = true};
  const auto plain = session_->generate("abcd", o);
  o.speculator = &*lookup;
  const auto drafted = session_->generate("abcd", o);
  ASSERT_TRUE(plain && drafted);
  EXPECT_EQ(drafted->ids, plain->ids);
  EXPECT_GT(lookup->stats().accepted, 0);
  EXPECT_FALSE(Speculator::lookup({.min_match = 0}));
  EXPECT_FALSE(Speculator::lookup({}, {.max_draft = 64}));
}

/// Steps until a source that is right with a share of `right` is given up, and how long drafts became before.
int32_t settled_length(double right, double token_cost, double draft_cost) {
  DraftPace pace;
  Rng rng(7);
  int32_t last = 0;
  for (int i = 0; i < 2000; ++i) {
    pace.decoded(1, 1.0);
    const int32_t n = pace.length(DraftPace::kGuess, 16, 1, 1);
    pace.decoded(1 + n, 1 + token_cost * n);
    if (n > 0) pace.drafted(n, draft_cost * n);
    int32_t ok = 0;
    while (ok < n && rng.uniform() < right) ++ok;
    if (n > 0) pace.verified(DraftPace::kGuess, n, ok);
    if (i >= 1000) last = std::max(last, i % 97 < 90 ? n : 0);
  }
  return last;
}

TEST(DraftPaceTest, LengthFollowsWhatPays) {
  EXPECT_GE(settled_length(0.99, 0.05, 0), 10);
  EXPECT_LE(settled_length(0.05, 0.3, 0), 3);   // trials alone
  EXPECT_LE(settled_length(0.9, 0.1, 1.5), 3);  // a draft model that costs more than the model
}

}  // namespace
}  // namespace hearth
