// What Model::open refuses, and that it names the key or tensor.
#include <gtest/gtest.h>

#include "support/tiny_model.h"

namespace {

using hearth::ErrorCode;
using hearth::testing::TinyModel;

struct Case {
  const char* name;
  void (*spoil)(TinyModel&);
  ErrorCode code;
  const char* named;  // must occur in the message
};

const Case kCases[] = {
    {"unknown architecture", [](TinyModel& m) { m.architecture = "mammoth"; }, ErrorCode::kUnsupported, "mammoth"},
    {"missing key", [](TinyModel& m) { m.ints.erase("llama.block_count"); }, ErrorCode::kNotFound, "llama.block_count"},
    {"no layers", [](TinyModel& m) { m.set_int("llama.block_count", 0); }, ErrorCode::kFormat, "llama.block_count"},
    {"more layers than tensors", [](TinyModel& m) { m.set_int("llama.block_count", 900); }, ErrorCode::kFormat,
     "block_count"},
    {"fewer layers than tensors", [](TinyModel& m) { m.set_int("llama.block_count", 1); }, ErrorCode::kFormat,
     "blk.1."},
    {"absurd layers", [](TinyModel& m) { m.set_int("llama.block_count", 0xFFFFFFFF); }, ErrorCode::kFormat,
     "llama.block_count"},
    {"no heads", [](TinyModel& m) { m.set_int("llama.attention.head_count", 0); }, ErrorCode::kFormat, "head_count"},
    {"kv heads do not divide", [](TinyModel& m) { m.set_int("llama.attention.head_count_kv", 4); }, ErrorCode::kFormat,
     "head_count_kv"},
    {"absurd width", [](TinyModel& m) { m.set_int("llama.embedding_length", 0x7FFFFFFF); }, ErrorCode::kFormat,
     "embedding_length"},
    {"other width", [](TinyModel& m) { m.set_int("llama.embedding_length", 64); }, ErrorCode::kFormat,
     "token_embd.weight"},
    {"odd rope", [](TinyModel& m) { m.set_int("llama.rope.dimension_count", 7); }, ErrorCode::kFormat,
     "rope.dimension_count"},
    {"rope wider than a head", [](TinyModel& m) { m.set_int("llama.rope.dimension_count", 16); }, ErrorCode::kFormat,
     "rope.dimension_count"},
    {"eps not a number", [](TinyModel& m) { m.set_float("llama.attention.layer_norm_rms_epsilon", std::nanf("")); },
     ErrorCode::kFormat, "rms_epsilon"},
    {"negative rope base", [](TinyModel& m) { m.set_float("llama.rope.freq_base", -1.0f); }, ErrorCode::kFormat,
     "rope.freq_base"},
    {"missing tensor", [](TinyModel& m) { m.tensors.erase("blk.1.ffn_up.weight"); }, ErrorCode::kFormat,
     "blk.1.ffn_up.weight"},
    {"missing embedding", [](TinyModel& m) { m.tensors.erase("token_embd.weight"); }, ErrorCode::kFormat,
     "token_embd.weight"},
    {"left-over tensor", [](TinyModel& m) { m.add("blk.0.mystery.weight", {4}); }, ErrorCode::kFormat,
     "blk.0.mystery.weight"},
    {"misshapen tensor",
     [](TinyModel& m) {
       m.add("blk.0.attn_k.weight", {48, 24});
     },
     ErrorCode::kFormat, "blk.0.attn_k.weight"},
    {"misshapen norm", [](TinyModel& m) { m.add("output_norm.weight", {47}); }, ErrorCode::kFormat,
     "output_norm.weight"},
    {"misshapen bias", [](TinyModel& m) { m.add("blk.0.attn_q.bias", {7}); }, ErrorCode::kFormat, "blk.0.attn_q.bias"},
    {"fewer rows than tokens",
     [](TinyModel& m) {
       m.add("token_embd.weight", {48, 10}), m.add("output.weight", {48, 10});
     },
     ErrorCode::kFormat, "tokenizer.ggml.tokens"},
    {"experts used above count",
     [](TinyModel& m) { m.set_int("llama.expert_count", 4), m.set_int("llama.expert_used_count", 5); },
     ErrorCode::kFormat, "expert_used_count"},
};

TEST(OpenModel, RefusesAndNames) {
  for (const Case& c : kCases) {
    TinyModel tiny;
    c.spoil(tiny);
    const auto bytes = tiny.gguf();
    const auto model = hearth::Model::from_memory(bytes);
    ASSERT_FALSE(model) << c.name;
    EXPECT_EQ(model.error().code, c.code) << c.name << ": " << model.error().message;
    EXPECT_NE(model.error().message.find(c.named), std::string::npos) << c.name << ": " << model.error().message;
  }
}

TEST(OpenModel, OptionalPartsAreUsed) {
  TinyModel plain, biased;
  biased.add("blk.0.attn_q.bias", {48});
  biased.add("blk.1.ffn_down.bias", {48});
  const auto a = plain.gguf(), b = biased.gguf();
  for (const auto* bytes : {&a, &b}) {
    const auto model = hearth::Model::from_memory(*bytes);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->info().n_layers, 2);
    EXPECT_EQ(model->info().n_kv_heads, 2);
    EXPECT_EQ(model->info().n_vocab, 300);
  }
}

TEST(OpenModel, TiedOutputIsTheEmbedding) {
  TinyModel tiny;
  tiny.tensors.erase("output.weight");
  const auto bytes = tiny.gguf();
  const auto model = hearth::Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
}

TEST(OpenModel, CanBeCancelled) {
  const auto bytes = TinyModel().gguf();
  for (int allowed = 0; allowed < 2; ++allowed) {
    int calls = 0;
    const auto model =
        hearth::Model::from_memory(bytes, {.prefetch = true, .progress = [&](uint64_t done, uint64_t total) {
                                             EXPECT_LE(done, total);
                                             return calls++ < allowed;
                                           }});
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, ErrorCode::kCancelled);
  }
}

TEST(OpenModel, UnsupportedArchitectureListsTheSupported) {
  TinyModel tiny;
  tiny.architecture = "mammoth";
  const auto bytes = tiny.gguf();
  const auto model = hearth::Model::from_memory(bytes);
  ASSERT_FALSE(model);
  for (const std::string& name : hearth::Model::architectures())
    EXPECT_NE(model.error().message.find(name), std::string::npos);
}

}  // namespace
