// Adapters of self-made models: against merged weights, by sequence in one batch, over experts, invocation tokens,
// control vectors, keys.
#include "hearth/adapter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "lib/model/adapter_impl.h"
#include "support/adapter_file.h"
#include "support/family_model.h"

namespace hearth {
namespace {

using testing::AdapterFile;
using testing::FamilyModel;
using testing::FamilyOptions;

constexpr int kTokens = 24;

SessionOptions plain_options(int n_threads = 1) {
  SessionOptions options;
  options.n_ctx = 128;
  options.n_seqs = 3;
  options.n_logits = 3 * kTokens;
  options.k_type = options.v_type = KVType::kF32;
  options.n_threads = n_threads;
  return options;
}

std::vector<Token> text(int seed = 0) {
  std::vector<Token> tokens;
  for (int i = 0; i < kTokens; ++i) tokens.push_back((5 + 37 * i + 11 * seed) % FamilyModel::kVocab);
  return tokens;
}

void append_logits(std::vector<float>& all, const Session& session) {
  for (size_t i = 0; i < session.n_logits(); ++i) {
    all.insert(all.end(), session.logits(i).begin(), session.logits(i).end());
  }
}

/// Logits of sequence 0, `step` tokens a decode().
std::vector<float> logits(Session& session, const std::vector<Token>& tokens, size_t step = kTokens) {
  session.cache().clear();
  std::vector<float> all;
  for (size_t at = 0; at < tokens.size(); at += step) {
    std::vector<BatchToken> batch;
    for (size_t i = at; i < std::min(tokens.size(), at + step); ++i) {
      batch.push_back({tokens[i], static_cast<int32_t>(i), 0, true});
    }
    const Status status = session.decode(batch);
    EXPECT_TRUE(status) << status.error().message;
    append_logits(all, session);
  }
  return all;
}

std::vector<float> logits(const Model& model, std::vector<AdapterScale> adapters, const SessionOptions& plain,
                          size_t step = kTokens) {
  SessionOptions options = plain;
  options.adapters = std::move(adapters);
  auto session = Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  return session ? logits(*session, text(), step) : std::vector<float>();
}

double nmse(const std::vector<float>& expected, const std::vector<float>& actual) {
  if (expected.size() != actual.size()) return 1e9;
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(double{expected[i]} - double{actual[i]}, 2);
    norm += double{expected[i]} * double{expected[i]};
  }
  return error / norm;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// A model and an adapter of it, opened.
struct World {
  explicit World(const FamilyModel& family, AdapterFile file) : adapter_file(std::move(file)) {
    bytes = family.gguf();
    auto opened = Model::from_memory(bytes);
    EXPECT_TRUE(opened) << opened.error().message;
    if (opened) model.emplace(std::move(*opened));
    adapter_bytes = adapter_file.gguf();
    auto loaded = Adapter::from_memory(adapter_bytes, *model);
    EXPECT_TRUE(loaded) << loaded.error().message;
    if (loaded) adapter.emplace(std::move(*loaded));
  }
  AdapterFile adapter_file;
  std::vector<std::byte> bytes, adapter_bytes;
  std::optional<Model> model;
  std::optional<Adapter> adapter;
};

/// All matrices of a family changed at once give what merged weights give.
void expect_like_merged(const char* name, const FamilyOptions& options, float scale = 0.75f) {
  FamilyModel family(*find_architecture(name), options);
  World world(family, AdapterFile(family.tiny, 3));
  ASSERT_TRUE(world.adapter) << name;
  FamilyModel merged = family;
  world.adapter_file.merge_into(merged.tiny, scale);
  const auto merged_bytes = merged.gguf();
  const auto merged_model = Model::from_memory(merged_bytes);
  ASSERT_TRUE(merged_model) << name << ": " << merged_model.error().message;
  const auto expected = logits(*merged_model, {}, plain_options());
  for (const size_t step : {size_t{kTokens}, size_t{1}, size_t{5}}) {
    const auto actual = logits(*world.model, {{*world.adapter, scale}}, plain_options(), step);
    EXPECT_LT(nmse(expected, actual), 1e-9) << name << ", " << step << " tokens at a time";
  }
  EXPECT_GT(nmse(expected, logits(*world.model, {}, plain_options())), 1e-4) << name << ": the adapter does something";
}

TEST(Adapters, LikeMergedWeights) {
  expect_like_merged("llama", {.output = true});
  expect_like_merged("qwen2", {.biases = true, .output = true});
  expect_like_merged("arcee", {.output = true});
  expect_like_merged("phi3", {.fused_qkv = true, .fused_up = true, .output = true});
  expect_like_merged("gemma2", {.output = true});
  expect_like_merged("qwen35", {.output = true});
  expect_like_merged("gemma4", {.experts = true, .shared_experts = false, .output = true, .layer_embedding = 8});
}

TEST(Adapters, LikeMergedExperts) {
  expect_like_merged("granitemoe", {.experts = true, .every = 2, .output = true});
  expect_like_merged("gpt-oss", {.experts = true, .shared_experts = false, .output = true});
  expect_like_merged("deepseek2", {.experts = true, .output = true});
  expect_like_merged("qwen35moe", {.experts = true, .shared_scale = true, .output = true});
}

TEST(Adapters, TiedOutputStaysTheModels) {
  FamilyModel family(*find_architecture("llama"), {});
  World world(family, AdapterFile(family.tiny, 3));
  FamilyModel merged = family;
  merged.tiny.tensors["output.weight"] = merged.tiny.tensors["token_embd.weight"];
  world.adapter_file.merge_into(merged.tiny, 1.0f);
  const auto merged_bytes = merged.gguf();
  const auto merged_model = Model::from_memory(merged_bytes);
  ASSERT_TRUE(merged_model) << merged_model.error().message;
  EXPECT_LT(
      nmse(logits(*merged_model, {}, plain_options()), logits(*world.model, {{*world.adapter, 1.0f}}, plain_options())),
      1e-9);
}

TEST(Adapters, OfOtherTypes) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile file(family.tiny, 32);
  World exact(family, file);
  const auto expected = logits(*exact.model, {{*exact.adapter, 1.0f}}, plain_options());
  for (const uint32_t type : {1u, 30u}) {  // F16, BF16
    AdapterFile other = file;
    other.store_as(type);
    World world(family, other);
    ASSERT_TRUE(world.adapter);
    EXPECT_LT(nmse(expected, logits(*world.model, {{*world.adapter, 1.0f}}, plain_options())),
              type == 1u ? 1e-5 : 1e-3);
    EXPECT_NE(world.adapter->content_hash(), exact.adapter->content_hash());
  }
}

TEST(Adapters, ScaleZeroIsTheModelItself) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  World world(family, AdapterFile(family.tiny, 4));
  EXPECT_TRUE(same_bits(logits(*world.model, {}, plain_options()),
                        logits(*world.model, {{*world.adapter, 0.0f}}, plain_options())));
}

TEST(Adapters, SeveralAddUp) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  World world(family, AdapterFile(family.tiny, 4));
  const auto once = logits(*world.model, {{*world.adapter, 0.75f}}, plain_options());
  EXPECT_TRUE(
      same_bits(once, logits(*world.model, {{*world.adapter, 0.25f}, {*world.adapter, 0.5f}}, plain_options())));
  AdapterFile second(family.tiny, 7, 99);
  const auto bytes = second.gguf();
  const auto other = Adapter::from_memory(bytes, *world.model);
  ASSERT_TRUE(other);
  FamilyModel merged = family;
  world.adapter_file.merge_into(merged.tiny, 0.5f), second.merge_into(merged.tiny, -0.5f);
  const auto merged_bytes = merged.gguf();
  const auto merged_model = Model::from_memory(merged_bytes);
  ASSERT_TRUE(merged_model);
  EXPECT_LT(nmse(logits(*merged_model, {}, plain_options()),
                 logits(*world.model, {{*world.adapter, 0.5f}, {*other, -0.5f}}, plain_options())),
            1e-9);
}

TEST(Adapters, ThreadsDoNotChangeABit) {
  for (const char* name : {"llama", "granitemoe"}) {
    FamilyModel family(*find_architecture(name), {.experts = std::strcmp(name, "granitemoe") == 0, .output = true});
    World world(family, AdapterFile(family.tiny, 4));
    for (const size_t step : {size_t{kTokens}, size_t{1}}) {
      const auto one = logits(*world.model, {{*world.adapter, 1.0f}}, plain_options(1), step);
      EXPECT_TRUE(same_bits(one, logits(*world.model, {{*world.adapter, 1.0f}}, plain_options(3), step))) << name;
    }
  }
}

/// Three sequences in each batch, token by token: none, one adapter, both.
void expect_each_like_solo(const char* name, const FamilyOptions& options) {
  FamilyModel family(*find_architecture(name), options);
  World world(family, AdapterFile(family.tiny, 4));
  AdapterFile second(family.tiny, 7, 99);
  const auto second_bytes = second.gguf();
  const auto other = Adapter::from_memory(second_bytes, *world.model);
  ASSERT_TRUE(other);
  SessionOptions session_options = plain_options();
  session_options.batch_invariant = true;
  const std::vector<std::vector<AdapterScale>> choice = {
      {}, {{*world.adapter, 1.0f}}, {{*other, 0.5f}, {*world.adapter, -0.5f}}};
  auto session = Session::create(*world.model, session_options);
  ASSERT_TRUE(session);
  std::vector<std::vector<float>> together(3);
  for (SeqId seq = 0; seq < 3; ++seq) ASSERT_TRUE(session->set_adapters(seq, choice[static_cast<size_t>(seq)]));
  for (int32_t first = 0; first < kTokens; first += 4) {
    std::vector<BatchToken> batch;
    for (int32_t i = first; i < first + 4; ++i) {
      for (SeqId seq = 0; seq < 3; ++seq) batch.push_back({text(seq)[static_cast<size_t>(i)], i, seq, i % 3 != 1});
    }
    ASSERT_TRUE(session->decode(batch));
    size_t row = 0;
    for (const BatchToken& token : batch) {
      if (!token.logits) continue;
      auto& mine = together[static_cast<size_t>(token.seq)];
      mine.insert(mine.end(), session->logits(row).begin(), session->logits(row).end());
      ++row;
    }
  }
  for (size_t seq = 0; seq < 3; ++seq) {
    SessionOptions solo = session_options;
    solo.adapters = choice[seq];
    auto alone = Session::create(*world.model, solo);
    ASSERT_TRUE(alone);
    std::vector<float> all;
    for (int32_t i = 0; i < kTokens; ++i) {
      const BatchToken token{text(static_cast<int>(seq))[static_cast<size_t>(i)], i, 0, i % 3 != 1};
      ASSERT_TRUE(alone->decode({&token, 1}));
      append_logits(all, *alone);
    }
    EXPECT_TRUE(same_bits(together[seq], all)) << name << ", sequence " << seq;
  }
}

TEST(Adapters, SequencesOfABatchChooseTheirOwn) {
  expect_each_like_solo("llama", {.output = true});
  expect_each_like_solo("llama", {});
  expect_each_like_solo("granitemoe", {.experts = true, .every = 2, .output = true});
  expect_each_like_solo("deepseek2", {.experts = true, .output = true});
  expect_each_like_solo("qwen35", {.output = true});
}

TEST(Adapters, ChangeBetweenDecodes) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  World world(family, AdapterFile(family.tiny, 4));
  auto session = Session::create(*world.model, plain_options());
  ASSERT_TRUE(session);
  const auto before = logits(*session, text());
  ASSERT_TRUE(session->set_adapters(0, {{*world.adapter, 1.0f}}));
  EXPECT_EQ(session->adapters(0).size(), 1u);
  EXPECT_TRUE(session->adapters(1).empty());
  EXPECT_TRUE(same_bits(logits(*session, text()), logits(*world.model, {{*world.adapter, 1.0f}}, plain_options())));
  ASSERT_TRUE(session->set_adapters(0, std::span<const AdapterScale>()));
  EXPECT_TRUE(same_bits(logits(*session, text()), before));
}

TEST(Adapters, InvocationTokensBeginIt) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile always(family.tiny, 4), invoked(family.tiny, 4);
  const std::vector<Token> tokens = text();
  invoked.tiny.int_arrays["adapter.alora.invocation_tokens"] = {tokens[10], tokens[11]};
  World world(family, invoked), plain(family, always);
  SessionOptions options = plain_options();
  options.batch_invariant = true;
  EXPECT_EQ(world.adapter->info().invocation_tokens.size(), 2u);
  // What it should be: the plain adapter, chosen by hand from position 10 on.
  auto by_hand = Session::create(*plain.model, options);
  ASSERT_TRUE(by_hand);
  std::vector<float> expected;
  for (int32_t i = 0; i < kTokens; ++i) {
    if (i == 10) {
      ASSERT_TRUE(by_hand->set_adapters(0, {{*plain.adapter, 1.0f}}));
    }
    const BatchToken token{tokens[static_cast<size_t>(i)], i, 0, true};
    ASSERT_TRUE(by_hand->decode({&token, 1}));
    append_logits(expected, *by_hand);
  }
  EXPECT_TRUE(same_bits(expected, logits(*world.model, {{*world.adapter, 1.0f}}, options)));
  options.adapters = {{*world.adapter, 1.0f}};
  options.n_batch = 4;  // the invocation stands across the border of two parts
  options.n_logits = 4;
  for (const size_t cut : {tokens.size(), size_t{12}}) {  // and then a decode() of its own for each token
    auto session = Session::create(*world.model, options);
    ASSERT_TRUE(session);
    ASSERT_TRUE(session->prefill(std::span(tokens).first(cut)));
    for (size_t i = cut; i < tokens.size(); ++i) {
      const BatchToken token{tokens[i], static_cast<int32_t>(i), 0, true};
      ASSERT_TRUE(session->decode({&token, 1}));
    }
    std::vector<float> last;
    append_logits(last, *session);
    EXPECT_TRUE(same_bits(last, {expected.end() - FamilyModel::kVocab, expected.end()})) << cut;
    EXPECT_EQ(session->adapter_key(0, 9), 0u);
    EXPECT_NE(session->adapter_key(0, 10), 0u);
    // Taken back before the invocation, it no longer acts.
    ASSERT_TRUE(session->cache().trim(0, 11));
    const BatchToken token{tokens[0], 11, 0, true};
    ASSERT_TRUE(session->decode({&token, 1}));
    EXPECT_EQ(session->adapter_key(0, 11), 0u);
  }
}

TEST(Adapters, ControlVectors) {
  for (const char* name : {"llama", "gemma2", "bert"}) {
    FamilyModel family(*find_architecture(name), {});
    World world(family, AdapterFile::directions(FamilyModel::kWidth, {1, 3}));
    ASSERT_TRUE(world.adapter) << name;
    EXPECT_EQ(world.adapter->info().kind, AdapterKind::kControlVector);
    EXPECT_EQ(world.adapter->info().n_changed, 2);
  }
  // The bias of the feed-forward's output adds the same to the residual stream.
  FamilyModel family(*find_architecture("starcoder2"), {.biases = true, .output = true});
  World world(family, AdapterFile::directions(FamilyModel::kWidth, {1, 3}));
  FamilyModel moved = family;
  for (const int layer : {1, 3}) {
    auto& bias = moved.tiny.tensors["blk." + std::to_string(layer) + ".ffn_down.bias"].values;
    const auto& direction = world.adapter_file.tiny.tensors["direction." + std::to_string(layer)].values;
    ASSERT_EQ(bias.size(), direction.size());
    for (size_t i = 0; i < bias.size(); ++i) bias[i] += 0.5f * direction[i];
  }
  const auto moved_bytes = moved.gguf();
  const auto moved_model = Model::from_memory(moved_bytes);
  ASSERT_TRUE(moved_model);
  const auto expected = logits(*moved_model, {}, plain_options());
  EXPECT_LT(nmse(expected, logits(*world.model, {{*world.adapter, 0.5f}}, plain_options())), 1e-10);
  EXPECT_GT(nmse(expected, logits(*world.model, {}, plain_options())), 1e-4);
}

TEST(Adapters, StrengthFollowsAlphaAndRank) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile file(family.tiny, 4);
  file.tiny.floats["adapter.lora.alpha"] = 6.0f;
  World plain(family, file);
  file.tiny.booleans["adapter.lora.use_rslora"] = true;
  World stabilized(family, file);
  file.tiny.floats.clear();
  World without(family, file);
  const auto strength = [](const World& w) { return AdapterInternals::of(*w.adapter).pairs.front().strength; };
  EXPECT_EQ(strength(plain), 1.5f);
  EXPECT_EQ(strength(stabilized), 3.0f);
  EXPECT_EQ(strength(without), 1.0f);
}

TEST(Adapters, KeysNameContentsAndScales) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  World world(family, AdapterFile(family.tiny, 4)), other(family, AdapterFile(family.tiny, 4, 99));
  const auto copy = Adapter::from_memory(world.adapter_bytes, *world.model);
  const auto second = Adapter::from_memory(other.adapter_bytes, *world.model);
  ASSERT_TRUE(copy && second);
  auto session = Session::create(*world.model, plain_options());
  ASSERT_TRUE(session);
  const auto key = [&](const std::vector<AdapterScale>& adapters) {
    EXPECT_TRUE(session->set_adapters(1, adapters));
    return session->adapter_key(1, 5);
  };
  EXPECT_EQ(key({}), 0u);
  EXPECT_EQ(key({{*world.adapter, 0.0f}}), 0u);
  const uint64_t one = key({{*world.adapter, 1.0f}});
  EXPECT_NE(one, 0u);
  EXPECT_EQ(one, key({{*copy, 1.0f}}));
  EXPECT_EQ(one, key({{*second, 0.0f}, {*copy, 1.0f}}));
  EXPECT_NE(one, key({{*world.adapter, 0.5f}}));
  EXPECT_NE(one, key({{*second, 1.0f}}));
  EXPECT_NE(one, key({{*world.adapter, 1.0f}, {*second, 1.0f}}));
  EXPECT_EQ(one, key({{*world.adapter, 0.5f}, {*world.adapter, 0.5f}}));
  EXPECT_EQ(key({{*world.adapter, 1.0f}, {*second, 2.0f}}), key({{*second, 2.0f}, {*world.adapter, 1.0f}}));
  EXPECT_EQ(session->adapter_key(0, 5), 0u);
}

TEST(Adapters, ThePlanCountsThem) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  World world(family, AdapterFile(family.tiny, 4));
  SessionOptions options = plain_options();
  const auto without = world.model->plan(options);
  options.adapters = {{*world.adapter, 1.0f}};
  const auto with = world.model->plan(options);
  ASSERT_TRUE(without && with);
  EXPECT_EQ(without->adapter_bytes, 0u);
  EXPECT_GT(with->adapter_bytes, world.adapter_bytes.size());
  EXPECT_EQ(with->total(), without->total() + with->adapter_bytes);
  auto session = Session::create(*world.model, options);
  ASSERT_TRUE(session);
  EXPECT_EQ(session->plan().adapter_bytes, with->adapter_bytes);
}

TEST(Adapters, WrongUse) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  World world(family, AdapterFile(family.tiny, 4)), other(family, AdapterFile(family.tiny, 4));
  auto session = Session::create(*world.model, plain_options());
  ASSERT_TRUE(session);
  EXPECT_FALSE(session->set_adapters(3, {{*world.adapter, 1.0f}}));
  EXPECT_FALSE(session->set_adapters(-1, {{*world.adapter, 1.0f}}));
  EXPECT_FALSE(session->set_adapters(0, {{*other.adapter, 1.0f}}));
  EXPECT_FALSE(session->set_adapters(0, {{*world.adapter, NAN}}));
  EXPECT_TRUE(session->adapters(0).empty());
}

TEST(Adapters, WeightsOfNormsAreTold) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile file(family.tiny, 4);
  file.tiny.add("blk.0.attn_norm.weight", {48}, 1.0f);
  World world(family, file);
  ASSERT_TRUE(world.adapter);
  EXPECT_FALSE(world.adapter->info().warning.empty());
}

}  // namespace
}  // namespace hearth
