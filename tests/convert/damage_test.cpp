// What a folder may hold that is wrong: one error that names it, and no file.
#include <gtest/gtest.h>

#include <atomic>

#include "convert/folder_builder.h"
#include "hearth/convert.h"
#include "lib/convert/safetensors.h"
#include "lib/convert/vocabulary.h"
#include "lib/json/document.h"
#include "support/file_size_limit.h"
#include "support/golden.h"

namespace hearth::testing {
namespace {

constexpr int kD = 8;

std::vector<FolderTensor> tensors() {
  std::vector<FolderTensor> out = {{"model.embed_tokens.weight", {kByteLevelTokens, kD}}, {"model.norm.weight", {kD}}};
  const std::string layer = "model.layers.0.";
  for (const char* name : {"q", "k", "v", "o"}) out.push_back({layer + "self_attn." + name + "_proj.weight", {kD, kD}});
  for (const char* name : {"gate", "up", "down"}) out.push_back({layer + "mlp." + name + "_proj.weight", {kD, kD}});
  for (const char* name : {"input", "post_attention"}) out.push_back({layer + name + "_layernorm.weight", {kD}});
  return out;
}

constexpr const char* kConfig =
    "{\"model_type\":\"llama\",\"hidden_size\":8,\"intermediate_size\":8,\"num_hidden_layers\":1,\"num_attention_"
    "heads\":2,"
    "\"max_position_embeddings\":64,\"rms_norm_eps\":1e-6}";

class ConvertDamage : public ::testing::Test {
 protected:
  void SetUp() override {
    dir.write("config.json", kConfig);
    dir.write("tokenizer.json", byte_level_tokenizer());
    dir.write("model.safetensors", safetensors_file(tensors()));
  }
  /// Converts; expects an error that says `what`, and nothing left behind.
  void expect_refused(const std::string& what, const ConvertOptions& options = {}) const {
    const size_t before = dir.count();
    const auto report = convert_model(dir.path().string(), dir.file("out.gguf"), options);
    ASSERT_FALSE(report) << what;
    EXPECT_NE(report.error().message.find(what), std::string::npos) << report.error().message;
    EXPECT_EQ(dir.count(), before) << what;
  }
  TempDir dir;
};

TEST_F(ConvertDamage, TheFolderItselfIsFine) {
  const auto report = convert_model(dir.path().string(), dir.file("out.gguf"));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(convert_model(dir.file("model.safetensors"), dir.file("again.gguf")));
  EXPECT_EQ(GgufFile::open(dir.file("again.gguf"))->tensors().size(),
            GgufFile::open(dir.file("out.gguf"))->tensors().size());
}

TEST_F(ConvertDamage, MissingFiles) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    const std::string content = read_file(dir.file(name));
    std::filesystem::remove(dir.file(name));
    expect_refused(std::string(name) == "tokenizer.json" ? "vocab.txt" : name);
    dir.write(name, content);
  }
}

TEST_F(ConvertDamage, Configurations) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "config.json"},
      {"[1]", "model_type"},
      {"{\"model_type\":\"starship\"}", "'starship'"},
      {"{\"model_type\":\"llama\"}", "num_hidden_layers"},
      {"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":0,\"max_position_"
       "embeddings\":64}",
       "num_attention_heads"},
      {"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":16,\"max_position_"
       "embeddings\":64}",
       "head_dim"},
      {"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"max_position_"
       "embeddings\":1e300}",
       "max_position_embeddings"},
      {"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"max_position_"
       "embeddings\":64,"
       "\"rope_scaling\":{\"rope_type\":\"spiral\"}}",
       "'spiral'"},
      {"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"max_position_"
       "embeddings\":64,"
       "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8}}",
       "llama3"},
      {"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"max_position_"
       "embeddings\":64,"
       "\"rope_scaling\":{\"rope_type\":\"longrope\",\"long_factor\":[1]}}",
       "factors"},
  };
  for (const auto& [config, what] : cases) {
    dir.write("config.json", config);
    expect_refused(what);
  }
}

TEST_F(ConvertDamage, Tensors) {
  auto more = tensors();
  more.push_back({"model.layers.0.surprise.weight", {2}});
  dir.write("model.safetensors", safetensors_file(more));
  expect_refused("surprise");
  more.back() = {"model.layers.0.mlp.experts.1.up_proj.weight", {2, 2}};
  dir.write("model.safetensors", safetensors_file(more));
  expect_refused("lacks experts");
  more.back() = {"layers.0.self_attn.q_proj.weight", {kD, kD}};  // another spelling of one that is there
  dir.write("model.safetensors", safetensors_file(more));
  expect_refused("blk.0.attn_q.weight");
  more.pop_back();
  more[2].shape = {6, kD};  // queries whose rows are no whole heads
  dir.write("model.safetensors", safetensors_file(more));
  expect_refused("6 rows");
}

TEST_F(ConvertDamage, EveryCutAndManyFlipsOfTheSafetensors) {
  const std::string whole = safetensors_file(tensors());
  for (size_t n = 0; n < whole.size(); n += n < 600 ? 1 : 997) {
    dir.write("model.safetensors", whole.substr(0, n));
    expect_refused("model.safetensors");
  }
  for (size_t i = 0; i < 400; ++i) {
    std::string damaged = whole;
    damaged[i] ^= static_cast<char>(1 << (i % 7));
    dir.write("model.safetensors", damaged);
    (void)convert_model(dir.path().string(), dir.file("out.gguf"));
  }
}

TEST_F(ConvertDamage, Indices) {
  std::filesystem::rename(dir.file("model.safetensors"), dir.file("part.safetensors"));
  for (const auto& [index, what] : {std::pair{"{}", "weight_map"},
                                    {"{\"weight_map\":{\"a\":\"../part.safetensors\"}}", "'a'"},
                                    {"{\"weight_map\":{\"a\":\"part.safetensors\"}}", "'a'"},
                                    {"{\"weight_map\":{\"a\":\"none.safetensors\"}}", "none.safetensors"}}) {
    dir.write("model.safetensors.index.json", index);
    expect_refused(what);
  }
}

TEST_F(ConvertDamage, ValuesBeyondF16) {
  std::string file = safetensors_file(tensors());
  const float large = 1e6f;
  std::memcpy(file.data() + file.size() - 4 * kD * 3, &large, 4);  // in a matrix before the two norms
  dir.write("model.safetensors", file);
  expect_refused("F16 cannot", {.type = TensorType::kF16});
  EXPECT_TRUE(convert_model(dir.path().string(), dir.file("out.gguf"), {.type = TensorType::kBF16}));
}

TEST_F(ConvertDamage, CancelledAndOnAFullDisk) {
  const std::atomic<bool> cancel = true;
  expect_refused("cancelled", {.cancel = &cancel});
  expect_refused("cancelled", {.on_progress = [](uint64_t, uint64_t) { return false; }});
  if (!FileSizeLimit::kIsThere) GTEST_SKIP() << "the system has no bound on the size of files";
  const FileSizeLimit limit(2000);
  expect_refused("cannot write");
}

TEST_F(ConvertDamage, AFolderThatChangesMeanwhile) {
  const std::string whole = read_file(dir.file("model.safetensors"));
  bool touched = false;
  expect_refused("changed", {.on_progress = [&](uint64_t, uint64_t) {
                   if (!touched) dir.write("model.safetensors", whole + "more");
                   touched = true;
                   return true;
                 }});
  dir.write("model.safetensors", whole);
  touched = false;
  expect_refused("model.safetensors", {.on_progress = [&](uint64_t, uint64_t) {
                   if (!touched) std::filesystem::resize_file(dir.file("model.safetensors"), whole.size() / 2);
                   touched = true;
                   return true;
                 }});
}

TEST(ConvertTokenizers, SentencePieceModels) {
  const auto field = [](int number, const std::string& bytes) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
  };
  const auto piece = [&](const std::string& text, float score, char type) {
    std::string message = field(1, text) + std::string(1, 2 << 3 | 5);
    message.append(reinterpret_cast<const char*>(&score), 4);
    return field(1, message + std::string{3 << 3, type});
  };
  const std::string bpe = field(2, std::string{3 << 3, 2}), no_prefix = field(3, std::string{3 << 3, 0});
  const std::string whole =
      piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("<0x41>", 0, 6) + piece("\u2581he", -1.5f, 1) + bpe + no_prefix;
  const auto v = read_sentence_piece(whole);
  ASSERT_TRUE(v) << v.error().message;
  EXPECT_EQ(v->tokens, (std::vector<std::string>{"<unk>", "<s>", "<0x41>", "\u2581he"}));
  EXPECT_EQ(v->types, (std::vector<int32_t>{2, 3, 6, 1}));
  EXPECT_EQ(v->scores.back(), -1.5f);
  EXPECT_EQ(v->add_space_prefix, false);
  EXPECT_FALSE(read_sentence_piece(whole.substr(0, whole.size() - bpe.size() - no_prefix.size()))) << "unigram";
  for (size_t n = 0; n < whole.size(); ++n) (void)read_sentence_piece(whole.substr(0, n));
  EXPECT_FALSE(read_sentence_piece("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_FALSE(read_sentence_piece("hello"));
}

TEST(ConvertTokenizers, SentencePieceFromTokenizerJson) {
  const auto v = read_tokenizer_json(
      "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true}],"
      "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"_\"}]},"
      "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{"
      "\"Sequence\":{\"id\":\"A\"}}]},"
      "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<s>\":0,\"<unk>\":1,\"<"
      "0x0A>\":2,\"a\":3,"
      "\"b\":4,\"ab\":5,\"abab\":6},\"merges\":[\"a b\",\"ab ab\"]}}",
      "");
  ASSERT_TRUE(v) << v.error().message;
  EXPECT_EQ(v->model, "llama");
  EXPECT_EQ(v->types, (std::vector<int32_t>{3, 2, 6, 1, 1, 1, 1}));
  EXPECT_GT(v->scores[5], v->scores[6]);
  EXPECT_GT(v->scores[6], v->scores[3]);
  EXPECT_EQ(v->add_space_prefix, true);
  EXPECT_EQ(v->add_bos, true);
  EXPECT_EQ(v->add_eos, false);
}

/// SmolLM's: digits one by one, and nothing before or after a text.
TEST(ConvertTokenizers, DigitsOneByOne) {
  const auto read = [](const std::string& digits) {
    return read_tokenizer_json(
        "{\"added_tokens\":[{\"id\":2,\"content\":\"<|im_start|>\",\"special\":true}],\"normalizer\":null,"
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"" +
            digits +
            "},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}]},"
            "\"post_processor\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1}}}",
        "");
  };
  const auto v = read(",\"individual_digits\":true");
  ASSERT_TRUE(v) << v.error().message;
  EXPECT_EQ(v->pre, "smollm");
  EXPECT_EQ(v->types, (std::vector<int32_t>{1, 1, 3}));
  EXPECT_FALSE(v->add_bos.value_or(false));
  EXPECT_FALSE(read(",\"individual_digits\":false")) << "no pipeline of GGUF keeps groups of digits whole so";
  EXPECT_FALSE(read(""));
}

TEST(ConvertTokenizers, WhatCannotBeIsRefused) {
  for (const char* text :
       {"", "{}", "{\"model\":{\"type\":\"Unigram\"}}", "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}",
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",0]]}}",
        "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"?\"},\"model\":{\"type\":\"Unigram\","
        "\"vocab\":[[\"a\",0]]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"byte_fallback\":true}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000000},\"byte_fallback\":true}}",
        "{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}",
        "{\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"@\",\"vocab\":{\"a\":0}}}",
        "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"Split\","
        "\"pattern\":{\"Regex\":\"x+\"}}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}"}) {
    EXPECT_FALSE(read_tokenizer_json(text, "")) << text;
  }
}

TEST(JsonDocument, LooksUpWhatIsThere) {
  const std::string text = "{\"a\":[1,2.5,{\"b\":\"x\\ny\"}],\"c\":null,\"d\":true,\"a2\":\"\",\"a\":{\"z\":7}}";
  const auto document = json::Document::parse(text);
  ASSERT_TRUE(document);
  const json::Value root = document->root();
  EXPECT_EQ(root["a"]["z"].integer(), 7) << "the last of equal keys";
  EXPECT_EQ(root.first().first().integer(), 1);
  EXPECT_EQ(root.first().first().next().number(), 2.5);
  EXPECT_EQ(root.first().first().next().integer(), std::nullopt);
  EXPECT_EQ(root.first().first().next().next()["b"].text(), "x\ny");
  EXPECT_FALSE(root.first().first().next().next().next());
  EXPECT_TRUE(root["c"].is_null());
  EXPECT_EQ(root["d"].boolean(), true);
  EXPECT_FALSE(root["none"]["deeper"]["still"]);
  EXPECT_FALSE(json::Document::parse("{\"a\":"));
}

}  // namespace
}  // namespace hearth::testing
