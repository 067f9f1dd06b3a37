// Drafts from a model's own layer for multi-token prediction: what it predicts, against models that compute the same
// another way, and that texts stay what they are.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "hearth/hearth.h"
#include "lib/arch/architecture.h"
#include "lib/session/mtp_draft.h"
#include "support/family_model.h"
#include "support/golden.h"
#include "tests/session/right_drafts.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::some_text;
using testing::TinyModel;

constexpr int kWidth = FamilyModel::kWidth, kVocab = FamilyModel::kVocab;

std::string blk(int layer) {
  return "blk." + std::to_string(layer) + ".";
}

/// Adds the layer: a block with weights of its own, and what stands around it.
void add_mtp(FamilyModel& m) {
  constexpr int kLayer = FamilyModel::kLayers;
  m.integer("block_count", kLayer + 1);
  m.integer("nextn_predict_layers", 1);
  const std::string from = blk(kLayer - 1);
  const auto tensors = m.tiny.tensors;
  for (const auto& [name, tensor] : tensors) {
    if (!name.starts_with(from)) continue;
    const float around = name.find("norm") != std::string::npos ? 1.0f : 0.0f;
    m.tiny.add(blk(kLayer) + name.substr(from.size()), tensor.dims, around);
  }
  m.tiny.add(blk(kLayer) + "nextn.eh_proj.weight", {2 * kWidth, kWidth});
  for (const char* norm : {"enorm", "hnorm", "shared_head_norm"}) {
    m.tiny.add(blk(kLayer) + "nextn." + norm + ".weight", {kWidth}, 1.0f);
  }
}

std::vector<float>& values(TinyModel& m, const std::string& name) {
  return m.tensors.at(name + ".weight").values;
}

/// What blocks add to the residual stream is nothing: the next token follows from the last alone.
void make_bigram(TinyModel& m, int first, int past) {
  for (int i = first; i < past; ++i) {
    for (const char* name : {"attn_output", "ffn_down", "ssm_out"}) {
      if (!m.tensors.contains(blk(i) + name + ".weight")) continue;
      for (float& x : values(m, blk(i) + name)) x = 0;
    }
  }
}

/// Only one half of the pair counts.
void keep_half(TinyModel& m, bool hidden) {
  std::vector<float>& w = values(m, blk(FamilyModel::kLayers) + "nextn.eh_proj");
  for (size_t i = 0; i < w.size(); ++i) {
    if ((i % (2 * kWidth) >= kWidth) != hidden) w[i] = 0;
  }
}

std::vector<double> normed(const std::vector<double>& x, const std::vector<float>& w) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  const double scale = 1 / std::sqrt(sum / static_cast<double>(x.size()) + 1e-5);
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back(x[i] * scale * double{w[i]});
  return y;
}

/// A llama of one layer, the predicting one, whose embedding is what that layer gets for each token.
FamilyModel as_model_of_its_own(TinyModel& m, bool hidden) {
  FamilyModel own(*find_architecture("llama"), {.output = true});
  own.integer("block_count", 1);
  std::erase_if(own.tiny.tensors, [](const auto& entry) { return entry.first.starts_with("blk."); });
  const std::string from = blk(FamilyModel::kLayers), next = from + "nextn.";
  for (const auto& [name, tensor] : m.tensors) {
    if (name.starts_with(from) && !name.starts_with(next)) own.tiny.tensors[blk(0) + name.substr(from.size())] = tensor;
  }
  values(own.tiny, "output_norm") = values(m, next + "shared_head_norm");
  values(own.tiny, "output") = values(m, "output");
  const std::vector<float>&embedding = values(m, "token_embd"), &w = values(m, next + "eh_proj");
  for (size_t id = 0; id < kVocab; ++id) {
    std::vector<double> x(embedding.begin() + static_cast<ptrdiff_t>(id * kWidth),
                          embedding.begin() + static_cast<ptrdiff_t>((id + 1) * kWidth));
    x = hidden ? normed(normed(x, values(m, "output_norm")), values(m, next + "hnorm"))
               : normed(x, values(m, next + "enorm"));
    for (size_t r = 0; r < kWidth; ++r) {
      double sum = 0;
      for (size_t k = 0; k < kWidth; ++k) sum += double{w[r * 2 * kWidth + (hidden ? kWidth : 0) + k]} * x[k];
      values(own.tiny, "token_embd")[id * kWidth + r] = static_cast<float>(sum);
    }
  }
  return own;
}

/// A model and the bytes that it lies in.
struct Opened {
  explicit Opened(const FamilyModel& m) : bytes(m.gguf()) {
    auto made = Model::from_memory(bytes);
    EXPECT_TRUE(made) << made.error().message;
    model.emplace(std::move(*made));
  }
  Session session(bool mtp, int32_t n_seqs = 1, int32_t n_batch = 512) const {
    SessionOptions o{.n_ctx = 512, .n_seqs = n_seqs, .n_batch = n_batch, .n_logits = 8 * n_seqs};
    o.k_type = o.v_type = KVType::kF32;
    o.n_threads = 1;
    o.batch_invariant = o.exact_products = true;
    o.mtp = mtp;
    auto made = Session::create(*model, o);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  std::vector<std::byte> bytes;
  std::optional<Model> model;
};

Token best(std::span<const float> logits) {
  return static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Greedy drafts behind a text, of which the session has computed all but the last n_pending tokens.
std::vector<Token> drafts(const Opened& opened, Session& session, const std::vector<Token>& text, int32_t n,
                          int32_t n_pending = 1) {
  auto source = MtpDraft::create(session);
  EXPECT_TRUE(source) << source.error().message;
  auto generator = Generator::create(*opened.model, text, {.sampler = {.greedy = true}, .ignore_end = true});
  EXPECT_TRUE(generator) << generator.error().message;
  std::vector<DraftRequest> requests{{.text = text, .n = n, .generator = &*generator, .n_pending = n_pending}};
  const KVCacheStats before = session.cache().stats();
  EXPECT_TRUE((*source)->propose(requests));
  EXPECT_EQ(session.cache().stats().pages_used, before.pages_used);
  EXPECT_EQ(session.cache().length(0), static_cast<int32_t>(text.size()) - n_pending);
  return requests[0].tokens;
}

FamilyModel with_mtp(const char* name, const testing::FamilyOptions& options = {}) {
  FamilyModel m(*find_architecture(name), options);
  add_mtp(m);
  return m;
}

TEST(Mtp, PredictsFromTokensAsAModelOfThisLayerWould) {
  FamilyModel m = with_mtp("llama", {.output = true});
  keep_half(m.tiny, false);
  const Opened opened(m), own(as_model_of_its_own(m.tiny, false));
  for (const int n : {1, 2, 17, 64, 65, 150}) {
    const std::vector<Token> text = some_text(n);
    Session reference = own.session(false);
    ASSERT_TRUE(reference.prefill(text));
    std::vector<Token> expected;
    for (int i = 0; i < 6; ++i) {
      expected.push_back(best(reference.logits(0)));
      ASSERT_TRUE(reference.prefill({&expected.back(), 1}));
    }
    for (const int n_pending : {1, 3, 16}) {
      if (n_pending > n) continue;
      Session session = opened.session(true, 1, n_pending == 16 ? 7 : 512);
      if (n_pending < n) {
        ASSERT_TRUE(session.prefill(std::span(text).first(text.size() - static_cast<size_t>(n_pending))));
      }
      EXPECT_EQ(drafts(opened, session, text, 6, n_pending), expected) << n << ", pending " << n_pending;
    }
  }
}

TEST(Mtp, PredictsFromHiddenStatesOfThePositionBefore) {
  FamilyModel m = with_mtp("llama", {.output = true});
  constexpr Token kNothing = kVocab - 1;  // whose row is that of no hidden state
  make_bigram(m.tiny, 0, FamilyModel::kLayers);
  keep_half(m.tiny, true);
  FamilyModel alone = as_model_of_its_own(m.tiny, true);
  std::fill_n(values(alone.tiny, "token_embd").begin() + kNothing * kWidth, kWidth, 0.0f);
  const Opened opened(m), own(alone);
  for (const int n : {2, 3, 20, 40, 64, 65, 100, 129}) {
    const std::vector<Token> text = some_text(n);
    std::vector<Token> moved{kNothing};
    moved.insert(moved.end(), text.begin(), text.end() - 1);
    Session reference = own.session(false);
    ASSERT_TRUE(reference.prefill(moved));
    const std::vector<Token> expected{best(reference.logits(0))};
    for (const int n_batch : {512, 16, 1}) {
      Session session = opened.session(true, 1, n_batch);
      ASSERT_TRUE(session.prefill(text));  // what is taken back is known still
      for (const int n_back : {1, 2, 5, 16}) {
        if (n_back >= n) continue;
        ASSERT_TRUE(session.cache().trim(0, n - n_back));
        EXPECT_EQ(drafts(opened, session, text, 1, n_back), expected) << n << ", back " << n_back;
      }
    }
  }
}

TEST(Mtp, DraftsEndWhereTheTextDoes) {
  const Opened opened(with_mtp("llama", {.output = true}));
  const std::vector<Token> text = some_text(20);
  Session session = opened.session(true);
  ASSERT_TRUE(session.prefill(std::span(text).first(text.size() - 1)));
  auto source = MtpDraft::create(session);
  auto generator =
      Generator::create(*opened.model, text, {.max_tokens = 3, .sampler = {.greedy = true}, .ignore_end = true});
  ASSERT_TRUE(source && generator);
  std::vector<DraftRequest> requests{{.text = text, .n = 6, .generator = &*generator, .n_pending = 1}};
  ASSERT_TRUE((*source)->propose(requests));
  EXPECT_EQ(requests[0].tokens.size(), 3u);
}

TEST(Mtp, DraftsChangeNoText) {
  for (const char* name : {"llama", "qwen3", "deepseek2", "glm4moe", "qwen3next", "qwen35", "qwen35moe"}) {
    const bool moe = std::string_view(name) == "qwen35moe";
    const Opened opened(with_mtp(name, {.experts = moe}));
    ASSERT_TRUE(opened.model->info().has_mtp) << name;
    EXPECT_EQ(opened.model->info().n_layers, FamilyModel::kLayers);
    Session plain_session = opened.session(false), session = opened.session(true);
    auto speculator = Speculator::mtp(session, {.max_draft = 5, .adaptive = false});
    ASSERT_TRUE(speculator) << speculator.error().message;
    Session moved = std::move(session);
    for (const bool greedy : {true, false}) {
      GenerateOptions o{
          .max_tokens = 60, .sampler = {.seed = 3, .greedy = greedy, .temperature = 1}, .ignore_end = true};
      const std::vector<Token> prompt = some_text(50);
      const auto plain = plain_session.generate(std::span<const Token>(prompt), o);
      const auto beside = moved.generate(std::span<const Token>(prompt), o);
      o.speculator = &*speculator;
      const auto drafted = moved.generate(std::span<const Token>(prompt), o);
      ASSERT_TRUE(plain && beside && drafted);
      EXPECT_EQ(beside->ids, plain->ids) << name;
      EXPECT_EQ(drafted->ids, plain->ids) << name;
    }
    EXPECT_GT(speculator->stats().drafted, 100) << name;
    EXPECT_LT(speculator->stats().accepted, speculator->stats().drafted) << name;
  }
}

/// A model that goes by the last token alone, and a layer that does the same.
FamilyModel always_right(const char* name) {
  FamilyModel m = with_mtp(name, {.output = true});
  make_bigram(m.tiny, 0, FamilyModel::kLayers + 1);
  std::vector<float>& w = values(m.tiny, blk(FamilyModel::kLayers) + "nextn.eh_proj");
  for (size_t r = 0; r < kWidth; ++r) {
    for (size_t k = 0; k < 2 * kWidth; ++k) w[r * 2 * kWidth + k] = k == r ? 1.0f : 0.0f;
  }
  std::fill(values(m.tiny, blk(FamilyModel::kLayers) + "nextn.enorm").begin(),
            values(m.tiny, blk(FamilyModel::kLayers) + "nextn.enorm").end(), 1.0f);
  m.tiny.tensors.erase(blk(FamilyModel::kLayers) + "nextn.shared_head_norm.weight");  // that of the model, then
  return m;
}

TEST(Mtp, DraftsThatAreRightSaveSteps) {
  for (const char* name : {"llama", "qwen3next", "qwen35"}) {
    const Opened opened(always_right(name));
    Session session = opened.session(true);
    testing::expect_right_drafts(session, Speculator::mtp(session, {.max_draft = 5, .adaptive = false}), 2, name);
  }
}

TEST(Mtp, EnginesDraftForSeveralTextsAtOnce) {
  for (const char* name : {"llama", "qwen35"}) {
    const Opened opened(always_right(name));
    EngineOptions o{.session = {.n_ctx = 4096, .n_seqs = 10, .n_threads = 1, .batch_invariant = true}};
    o.drafts = EngineDrafts{.mtp = true, .options = {.max_draft = 4, .adaptive = false}};
    auto engine = Engine::create(*opened.model, o);
    ASSERT_TRUE(engine) << engine.error().message;
    EXPECT_TRUE(engine->options().session.mtp);
    std::vector<Ticket> tickets;
    const GenerateOptions generate{.max_tokens = 40, .sampler = {.greedy = true}, .ignore_end = true};
    for (int i = 0; i < 10; ++i) {
      auto ticket = engine->submit({.prompt = some_text(70 + i), .generate = generate});
      ASSERT_TRUE(ticket);
      tickets.push_back(std::move(*ticket));
    }
    Session session = opened.session(false);
    for (int i = 0; i < 10; ++i) {
      const auto made = tickets[static_cast<size_t>(i)].wait();
      const auto plain = session.generate(std::span<const Token>(some_text(70 + i)), generate);
      ASSERT_TRUE(made && plain);
      EXPECT_EQ((*made)[0].ids, plain->ids) << name << i;
    }
    const SpeculationStats stats = engine->stats().drafts;
    EXPECT_GT(stats.drafted, 200);
    EXPECT_EQ(stats.accepted, stats.drafted);
  }
}

TEST(Mtp, WhatIsMissingIsSaid) {
  FamilyModel m = with_mtp("qwen35");
  Opened whole(m);
  Session without = whole.session(false);
  const auto none = Speculator::mtp(without);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  m.tiny.tensors.erase(blk(FamilyModel::kLayers) + "nextn.enorm.weight");
  const Opened part(m);
  EXPECT_FALSE(part.model->info().has_mtp);
  const auto session = Session::create(*part.model, {.n_threads = 1, .mtp = true});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kUnsupported);
}

TEST(Mtp, ShiftedSequencesGoOn) {
  const Opened opened(with_mtp("llama", {.output = true}));
  SessionOptions options{.n_ctx = 128, .n_logits = 8, .n_threads = 1, .batch_invariant = true, .mtp = true};
  options.k_type = options.v_type = KVType::kF32;
  auto session = Session::create(*opened.model, options);
  ASSERT_TRUE(session);
  auto speculator = Speculator::mtp(*session, {.max_draft = 5, .adaptive = false});
  ASSERT_TRUE(speculator);
  GenerateOptions o{.max_tokens = 400, .sampler = {.greedy = true}, .ignore_end = true, .on_full = OnFull::kShift};
  const auto plain = session->generate(std::span<const Token>(some_text(50)), o);
  o.speculator = &*speculator;
  const auto drafted = session->generate(std::span<const Token>(some_text(50)), o);
  ASSERT_TRUE(plain && drafted);
  EXPECT_EQ(drafted->ids.size(), plain->ids.size());
  EXPECT_GT(speculator->stats().drafted, 100);
}

/// Files with such layers, as converters write them.
TEST(GoldenMtp, DraftsChangeNoText) {
  int n_models = 0;
  for (const auto& path : testing::golden_files("reports", ".gguf")) {
    auto model = Model::open(path.string());
    if (!model || !model->info().has_mtp) continue;
    ++n_models;
    auto session =
        Session::create(*model, {.n_ctx = 256, .n_logits = 8, .n_threads = 1, .batch_invariant = true, .mtp = true});
    ASSERT_TRUE(session) << session.error().message;
    auto speculator = Speculator::mtp(*session, {.max_draft = 4, .adaptive = false});
    ASSERT_TRUE(speculator);
    GenerateOptions o{.max_tokens = 40, .sampler = {.greedy = true}, .ignore_end = true};
    const auto plain = session->generate("abc", o);
    o.speculator = &*speculator;
    const auto drafted = session->generate("abc", o);
    ASSERT_TRUE(plain && drafted) << path;
    EXPECT_EQ(drafted->ids, plain->ids) << path;
    EXPECT_GT(speculator->stats().drafted, 0);
  }
  if (n_models == 0) GTEST_SKIP() << "no models with prediction layers in " << testing::golden_dir();
}

}  // namespace
}  // namespace hearth
