// Drafts of assistants (Gemma 4): what they predict, against numbers that llama.cpp 0.5.0 gives for the same files (F32
// weights and cells, one thread, no flash attention), and that texts stay what they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "hearth/hearth.h"
#include "lib/session/assistant_draft.h"
#include "support/assistant_model.h"
#include "tests/session/right_drafts.h"

namespace hearth {
namespace {

using testing::assistant_model;
using testing::assistant_target;
using testing::FamilyModel;
using testing::some_text;
using testing::TinyModel;

Model opened(const std::vector<std::byte>& bytes) {
  auto model = Model::from_memory(bytes);
  EXPECT_TRUE(model) << model.error().message;
  return std::move(*model);
}

/// A target and its assistant, with the bytes that they lie in.
struct Pair {
  explicit Pair(const FamilyModel& m, const std::optional<TinyModel>& other = std::nullopt)
      : target_bytes(m.gguf()),
        assistant_bytes((other ? *other : assistant_model(m.tiny)).gguf()),
        target(opened(target_bytes)),
        assistant(opened(assistant_bytes)) {}
  Session session(SessionOptions o = {}) const {
    o.n_ctx = o.n_ctx == 0 ? 256 * o.n_seqs : o.n_ctx, o.n_logits = 8 * o.n_seqs;
    o.n_threads = 1;
    o.batch_invariant = o.exact_products = true;
    auto made = Session::create(target, o);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  std::vector<std::byte> target_bytes, assistant_bytes;
  Model target, assistant;
};

/// Every twelfth logit of the first draft tokens behind some_text(41), and the best token.
struct Recorded {
  Token best;
  std::vector<float> logits;
};
const std::vector<Recorded> kDense = {
    {57, {-1.1270777f,   -0.54562545f, 0.60935938f, 0.36865348f, 1.3654175f,  0.67793095f, -1.367645f,
          -0.76158428f,  0.27069944f,  1.5957568f,  0.76207006f, 0.68498331f, -2.1049414f, 0.053387091f,
          0.28983888f,   -0.6758402f,  -1.6069641f, 0.54948044f, 0.34973538f, -1.1785889f, -0.64425027f,
          -0.018220916f, 2.1082766f,   -1.0199363f, 0.40008247f}},
    {243, {0.75700754f,  -0.28075099f, 1.5563723f,    0.26333696f,  -0.20209236f, 0.32097325f, -1.5155567f,
           1.1232164f,   -0.8100152f,  -0.072357923f, -0.22786553f, 0.085172899f, 0.64342815f, 0.251335f,
           -0.31059551f, 1.8731049f,   -0.67796254f,  0.51598871f,  -0.24928446f, 0.82953089f, -0.47525623f,
           0.62415504f,  -0.52429062f, 0.56695777f,   1.3143953f}},
    {112, {0.20451118f,  0.092193611f, -0.58706224f, 0.70903212f,   0.93199027f,   0.34058177f,  0.81168211f,
           -0.43076417f, 0.20282869f,  0.37782884f,  1.7218024f,    -0.075587451f, -0.30707476f, 0.54853839f,
           -0.11132569f, 0.049744993f, -0.35886627f, -0.032561719f, 0.68675846f,   -0.15980491f, 0.34074652f,
           1.5509962f,   0.51159799f,  0.25519407f,  0.058193579f}},
    {245, {-1.451501f,   -0.5686391f,  -0.865641f,  -0.75070345f, -0.74149442f, 0.29205129f, -0.83045447f,
           1.7637695f,   -0.34650031f, -0.4021793f, -0.42806655f, -2.248805f,   1.0552309f,  -0.92348921f,
           -0.86749685f, -1.0872141f,  0.62790549f, -1.6234969f,  -2.0172083f,  0.1090764f,  -0.80681497f,
           -0.30249849f, -0.80632991f, 2.0519912f,  0.74636841f}},
};
const std::vector<Recorded> kWithLayerEmbeddings = {
    {32, {2.1310103f,   0.88634557f, 1.284778f,   0.51040632f, 0.82447571f, 0.64392763f,  -1.2517042f,
          -1.2620227f,  0.35669804f, 0.9647032f,  1.2838198f,  1.648972f,   -1.8249879f,  -0.3943415f,
          1.9313147f,   0.93273234f, -2.0277803f, 0.57799387f, -0.142676f,  0.033868719f, -0.81417328f,
          -0.62355167f, 1.1358275f,  -2.9015508f, 0.59305799f}},
    {216, {-0.55305177f,   0.34916279f, -0.90717614f, 0.58657181f,  -0.97343576f, -0.21370509f, 1.7001238f,
           -0.028148547f,  0.50002152f, 1.6671157f,   -0.59906214f, 0.16052514f,  -0.46226558f, 0.010004424f,
           -0.0073930174f, 0.78719074f, -1.0929341f,  0.8894316f,   2.7974248f,   0.23871121f,  2.3357055f,
           -0.20184344f,   0.59247106f, -0.57601577f, 0.37782842f}},
    {49, {1.1380551f,    -0.44258124f, -0.23060113f, 1.3637147f,   0.48573411f, -0.6074729f,   0.11086875f,
          0.89284557f,   -0.18412425f, -0.5583095f,  1.4747887f,   -1.1280169f, -0.1152125f,   -0.014270902f,
          -0.077178687f, 1.3394606f,   0.29703656f,  -0.86838716f, -1.3822974f, -0.022377551f, -0.11749023f,
          -0.017727084f, -0.98437858f, 0.64157355f,  -1.3021817f}},
    {121, {-0.9606269f,  1.9396336f,   -0.82698703f, -1.2193125f,  -0.50067323f, 0.06173053f, 0.68331558f,
           -0.90347403f, -0.32736641f, -0.5646649f,  -0.55870599f, 0.12302636f,  0.54022759f, 0.24778211f,
           -0.44440085f, 1.1622813f,   0.4121615f,   0.03641298f,  -0.616256f,   2.3218896f,  0.52007812f,
           -0.44706362f, -0.72206789f, -0.93368948f, 0.41111836f}},
};

constexpr size_t kStep = 12;

std::vector<DraftRequest> request(const std::vector<Token>& text, Generator& generator, const Session& session,
                                  int32_t n) {
  return {{.text = text, .n = n, .generator = &generator, .hidden = session.hidden(0), .n_pending = 1}};
}

/// The session has computed all of the text but its last token.
void expect_recorded(const FamilyModel& m, const std::vector<Recorded>& recorded, KVType type, double most) {
  const Pair pair(m);
  Session session = pair.session({.k_type = type, .v_type = type});
  const std::vector<Token> text = some_text(41);
  ASSERT_TRUE(session.prefill(std::span(text).first(40)));
  auto source = AssistantDraft::create(session, pair.assistant);
  ASSERT_TRUE(source) << source.error().message;
  auto generator = Generator::create(pair.target, text, {.sampler = {.greedy = true}, .ignore_end = true});
  ASSERT_TRUE(generator);
  std::vector<Token> best;
  for (const Recorded& one : recorded) {
    best.push_back(one.best);
    auto asked = request(text, *generator, session, static_cast<int32_t>(best.size()));
    ASSERT_TRUE((*source)->propose(asked));
    double difference = 0, norm = 0;
    for (size_t i = 0; i < one.logits.size(); ++i) {
      difference += std::pow(double{(*source)->logits()[i * kStep]} - double{one.logits[i]}, 2);
      norm += std::pow(double{one.logits[i]}, 2);
    }
    EXPECT_LE(difference, most * norm) << best.size();
    if (type == KVType::kF32) {
      EXPECT_EQ(asked[0].tokens, best);
    }
    EXPECT_EQ(session.cache().length(0), 40);
  }
}

/// llama.cpp's GELU comes from a table with 16-bit inputs, and each token of a draft goes on from the last one.
constexpr double kTables = 3e-4;

TEST(Assistant, PredictsWhatLlamaCppPredicts) {
  expect_recorded(assistant_target(), kDense, KVType::kF32, kTables);
  expect_recorded(assistant_target(8), kWithLayerEmbeddings, KVType::kF32, kTables);
}

TEST(Assistant, ReadsCellsOfEveryType) {
  for (const KVType type : {KVType::kF16, KVType::kQ8_0}) {
    expect_recorded(assistant_target(), {kDense[0]}, type, type == KVType::kF16 ? 1e-4 : 3e-2);
  }
}

TEST(Assistant, DraftsChangeNoText) {
  for (const int layer_embedding : {0, 8}) {
    const Pair pair(assistant_target(layer_embedding));
    Session plain_session = pair.session(), session = pair.session();
    auto speculator = Speculator::draft_model(session, pair.assistant, {.max_draft = 5, .adaptive = false});
    ASSERT_TRUE(speculator) << speculator.error().message;
    EXPECT_STREQ(speculator->source_name(), "assistant");
    Session moved = std::move(session);
    for (const bool greedy : {true, false}) {
      GenerateOptions o{
          .max_tokens = 60, .sampler = {.seed = 3, .greedy = greedy, .temperature = 1}, .ignore_end = true};
      const auto plain = plain_session.generate(std::span<const Token>(some_text(50)), o);
      o.speculator = &*speculator;
      const auto drafted = moved.generate(std::span<const Token>(some_text(50)), o);
      ASSERT_TRUE(plain && drafted);
      EXPECT_EQ(drafted->ids, plain->ids);
    }
    EXPECT_GT(speculator->stats().drafted, 100);
    EXPECT_LT(speculator->stats().accepted, speculator->stats().drafted);
  }
}

/// Both go by the last token alone: no block adds anything, and the assistant's rows are those of the target.
TEST(Assistant, DraftsThatAreRightSaveSteps) {
  constexpr size_t kWidth = FamilyModel::kWidth, kHalf = 32;
  FamilyModel m = assistant_target();
  TinyModel other = assistant_model(m.tiny);
  for (TinyModel* tiny : {&m.tiny, &other}) {
    for (auto& [name, tensor] : tiny->tensors) {
      const bool adds = name.ends_with("post_attention_norm.weight") || name.ends_with("post_ffw_norm.weight");
      if (adds) std::fill(tensor.values.begin(), tensor.values.end(), 0.0f);
    }
  }
  const auto values = [](TinyModel& tiny, const char* name) -> std::vector<float>& {
    return tiny.tensors.at(std::string(name) + ".weight").values;
  };
  for (size_t id = 0; id < FamilyModel::kVocab; ++id) {  // the rest of a row is nothing
    for (size_t i = 0; i < kWidth; ++i) {
      float& x = values(m.tiny, "token_embd")[id * kWidth + i];
      if (i >= kHalf) x = 0;
      if (i < kHalf) values(other, "token_embd")[id * kHalf + i] = x * values(m.tiny, "output_norm")[i];
    }
  }
  std::fill(values(other, "output_norm").begin(), values(other, "output_norm").end(), 1.0f);
  std::vector<float>& enter = values(other, "nextn.pre_projection");
  for (size_t i = 0; i < enter.size(); ++i) enter[i] = i % (2 * kWidth) == i / (2 * kWidth) ? 1.0f : 0.0f;
  const Pair pair(m, other);
  Session session = pair.session();
  testing::expect_right_drafts(
      session, Speculator::draft_model(session, pair.assistant, {.max_draft = 5, .adaptive = false}), 3);
}

TEST(Assistant, EnginesDraftForSeveralTextsAtOnce) {
  const Pair pair(assistant_target());
  EngineOptions o{.session = {.n_ctx = 4096, .n_seqs = 10, .n_threads = 1, .batch_invariant = true}};
  o.drafts = EngineDrafts{.model = pair.assistant, .options = {.max_draft = 4, .adaptive = false}};
  auto engine = Engine::create(pair.target, o);
  ASSERT_TRUE(engine) << engine.error().message;
  const GenerateOptions generate{.max_tokens = 40, .sampler = {.greedy = true}, .ignore_end = true};
  std::vector<Ticket> tickets;
  for (int i = 0; i < 10; ++i) {
    auto ticket = engine->submit({.prompt = some_text(70 + i), .generate = generate});
    ASSERT_TRUE(ticket);
    tickets.push_back(std::move(*ticket));
  }
  for (int i = 0; i < 10; ++i) {
    Session session = pair.session();
    const auto made = tickets[static_cast<size_t>(i)].wait();
    const auto alone = session.generate(std::span<const Token>(some_text(70 + i)), generate);
    ASSERT_TRUE(made && alone);
    EXPECT_EQ((*made)[0].ids, alone->ids) << i;
  }
  EXPECT_GT(engine->stats().drafts.drafted, 200);
}

TEST(Assistant, WhatDoesNotFitIsSaid) {
  const Pair pair(assistant_target());
  const auto alone = Session::create(pair.assistant, {.n_threads = 1});
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(alone.error().message.find("--draft"), std::string::npos);
  const auto refused = [&](const Model& assistant, const std::string& part) {
    Session session = pair.session();
    const auto made = Speculator::draft_model(session, assistant);
    ASSERT_FALSE(made) << part;
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(made.error().message.find(part), std::string::npos) << made.error().message;
  };
  const auto wide = assistant_model(assistant_target().tiny, 64).gguf();
  refused(opened(wide), "hidden states of 64, the model has 48");
  TinyModel heads = assistant_model(assistant_target().tiny);
  heads.set_int("gemma4-assistant.attention.head_count", 2);
  heads.set_int("gemma4-assistant.attention.key_length", 16);
  heads.set_int("gemma4-assistant.attention.value_length", 16);
  for (const char* key : {"key_length_swa", "value_length_swa"}) {
    heads.set_int(std::string("gemma4-assistant.attention.") + key, 16);
  }
  for (int i = 0; i < 3; ++i) heads.add("blk." + std::to_string(i) + ".attn_q_norm.weight", {16}, 1.0f);
  const auto narrow = heads.gguf();
  refused(opened(narrow), "2 heads of 16");
  TinyModel none = assistant_model(assistant_target().tiny);
  none.ints.erase("gemma4-assistant.embedding_length_out");
  EXPECT_EQ(Model::from_memory(none.gguf()).error().code, ErrorCode::kNotFound);
  TinyModel part = assistant_model(assistant_target().tiny);
  part.tensors.erase("nextn.post_projection.weight");
  EXPECT_FALSE(Model::from_memory(part.gguf()));
}

}  // namespace
}  // namespace hearth
