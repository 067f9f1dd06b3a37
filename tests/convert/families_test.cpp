// Every family: a small folder with seeded weights converts, the file opens, and its rows are where they belong. What
// is damaged is refused with a name.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "convert/family_folders.h"
#include "hearth/convert.h"
#include "hearth/model.h"
#include "hearth/session.h"
#include "hearth/speculation.h"
#include "lib/convert/families.h"
#include "lib/convert/safetensors.h"
#include "lib/convert/tensor_plan.h"
#include "support/golden.h"

namespace hearth::testing {
namespace {

TEST(ConvertFamilies, EveryDecoderOpensAndComputes) {
  std::set<std::string> covered = {"bert", "roberta", "xlm-roberta", "nomic_bert", "mixtral", "gemma3", "glm4_moe"};
  for (const FamilyCase& c : decoder_cases()) {
    TempDir dir;
    write_folder(dir, config_of(c), decoder_tensors(c));
    const auto report = convert_model(dir.path().string(), dir.file("out.gguf"));
    ASSERT_TRUE(report) << c.model_type << ": " << report.error().message;
    const auto model = Model::open(dir.file("out.gguf"));
    ASSERT_TRUE(model) << c.model_type << ": " << model.error().message;
    auto session = Session::create(*model, {.n_ctx = 32, .n_threads = 1});
    ASSERT_TRUE(session) << c.model_type;
    EXPECT_TRUE(session->generate("hello", {.max_tokens = 3})) << c.model_type;
    EXPECT_EQ(*model->tokenizer().encode("hell"), std::vector<Token>{258}) << c.model_type;
    covered.insert(c.model_type);
  }
  for (const std::string& type : convertible_model_types()) EXPECT_TRUE(covered.contains(type)) << type;
}

/// Rows of queries and keys of models whose pairs are neighbors, norms of Gemma, experts in one tensor.
TEST(ConvertFamilies, ValuesAreWhereTheyBelong) {
  for (const FamilyCase& c : decoder_cases()) {
    TempDir dir;
    write_folder(dir, config_of(c), decoder_tensors(c));
    ASSERT_TRUE(convert_model(dir.path().string(), dir.file("out.gguf")));
    const auto file = GgufFile::open(dir.file("out.gguf"));
    const auto floats = [&](const std::string& name) {
      return reinterpret_cast<const float*>(file->tensor(name)->data);
    };
    const std::string type = c.model_type;
    if (c.separate_qkv) {
      const float* q = floats("blk.1.attn_q.weight");
      const auto wanted = seeded_values("model.layers.1.self_attn.q_proj.weight", kHeads * kHeadDim * kD);
      const bool pairs = type == "llama" || type == "mistral" || type == "granite" || type == "smollm3";
      for (int64_t row = 0; row < kHeads * kHeadDim; ++row) {
        const int64_t in_head = row % kHeadDim;
        const int64_t from = pairs ? row - in_head + in_head / 2 + in_head % 2 * kHeadDim / 2 : row;
        EXPECT_EQ(std::memcmp(q + row * kD, wanted.data() + from * kD, kD * 4), 0) << type << " row " << row;
      }
    }
    const auto norm = seeded_values("model.norm.weight", kD);
    const float offset = type.starts_with("gemma") ? 1.0f : 0.0f;
    for (int64_t i = 0; i < kD; ++i) EXPECT_EQ(floats("output_norm.weight")[i], norm[i] + offset) << type;
    if (c.experts) {
      const auto third = seeded_values("model.layers.0.mlp.experts.2.up_proj.weight", 16 * kD);
      EXPECT_EQ(file->tensor("blk.0.ffn_up_exps.weight")->dims[2], 3);
      EXPECT_EQ(std::memcmp(floats("blk.0.ffn_up_exps.weight") + 2 * 16 * kD, third.data(), third.size() * 4), 0);
    }
  }
}

TEST(ConvertFamilies, KeysFollowTheConfiguration) {
  const auto file_of = [](const char* model_type, TempDir& dir) {
    const auto& cases = decoder_cases();
    const auto& c = *std::find_if(cases.begin(), cases.end(),
                                  [&](const auto& row) { return row.model_type == std::string(model_type); });
    write_folder(dir, config_of(c), decoder_tensors(c));
    EXPECT_TRUE(convert_model(dir.path().string(), dir.file("out.gguf")));
    return *GgufFile::open(dir.file("out.gguf"));
  };
  TempDir a, b, d, e;
  const GgufFile gemma2 = file_of("gemma2", a), granite = file_of("granite", b), phi3 = file_of("phi3", d),
                 gemma3 = file_of("gemma3_text", e);
  EXPECT_FLOAT_EQ(static_cast<float>(*gemma2.get_float("gemma2.attention.scale")), 0.25f);
  EXPECT_EQ(*gemma2.get_int("gemma2.attention.sliding_window"), 32);
  EXPECT_EQ(*gemma2.get_float("gemma2.final_logit_softcapping"), 30);
  EXPECT_EQ(*granite.get_float("granite.logit_scale"), 8);
  EXPECT_EQ(*granite.get_float("granite.embedding_scale"), 12);
  EXPECT_EQ(*phi3.get_int("phi3.rope.scaling.original_context_length"), 32);
  EXPECT_EQ(reinterpret_cast<const float*>(phi3.tensor("rope_factors_long.weight")->data)[3], 4);
  EXPECT_FLOAT_EQ(static_cast<float>(*phi3.get_float("phi3.rope.scaling.attn_factor")),
                  1.0954451f);  // sqrt(1 + ln 2 / ln 32)
  EXPECT_EQ(*gemma3.get_string("gemma3.rope.scaling.type"), "linear");
  EXPECT_EQ(gemma3.find("gemma3.attention.scale"), nullptr);
}

/// The text part of a model with pictures: the configuration lies deeper, other parts are left out and said.
TEST(ConvertFamilies, TextPartsOfOtherModels) {
  auto c = decoder_cases().back();
  std::string config = config_of(c);
  config = "{\"model_type\":\"gemma3\",\"text_config\":" + config + "}";
  std::vector<FolderTensor> tensors = decoder_tensors(c);
  for (FolderTensor& tensor : tensors) tensor.name = "language_model." + tensor.name;
  tensors.push_back({"vision_tower.patch.weight", {2, 2}});
  TempDir dir;
  write_folder(dir, config, tensors);
  const auto report = convert_model(dir.path().string(), dir.file("out.gguf"));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->warnings.size(), 1u);
  EXPECT_TRUE(Model::open(dir.file("out.gguf")));
}

TEST(ConvertFamilies, LayersThatPredictFurtherTokens) {
  TempDir dir;
  write_folder(dir, config_of(glm_moe()), glm_moe_tensors());
  const auto report = convert_model(dir.path().string(), dir.file("out.gguf"));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->warnings.empty());
  const auto file = GgufFile::open(dir.file("out.gguf"));
  EXPECT_EQ(*file->get_int("glm4moe.block_count"), 3);
  EXPECT_EQ(*file->get_int("glm4moe.nextn_predict_layers"), 1);
  EXPECT_EQ(*file->get_int("glm4moe.rope.dimension_count"), 4);
  EXPECT_EQ(*file->get_int("glm4moe.expert_gating_func"), 2);
  const auto head = seeded_values("model.layers.2.shared_head.head.weight", kByteLevelTokens * kD);
  EXPECT_EQ(std::memcmp(file->tensor("blk.2.nextn.shared_head_head.weight")->data, head.data(), head.size() * 4), 0);
  const auto model = Model::open(dir.file("out.gguf"));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(model->info().has_mtp);
  EXPECT_EQ(model->info().n_layers, 2);
  auto session = Session::create(*model, {.n_ctx = 64, .n_logits = 8, .n_threads = 1, .mtp = true});
  ASSERT_TRUE(session) << session.error().message;
  auto speculator = Speculator::mtp(*session, {.max_draft = 4, .adaptive = false});
  ASSERT_TRUE(speculator) << speculator.error().message;
  GenerateOptions o{.max_tokens = 20, .sampler = {.greedy = true}, .ignore_end = true};
  const auto plain = session->generate("hello", o);
  o.speculator = &*speculator;
  const auto drafted = session->generate("hello", o);
  ASSERT_TRUE(plain && drafted);
  EXPECT_EQ(drafted->ids, plain->ids);
  EXPECT_GT(speculator->stats().drafted, 0);
}

TEST(ConvertFamilies, MixtralsExpertsAndTypes) {
  FamilyCase c{"mixtral", ",\"num_local_experts\":3,\"num_experts_per_tok\":2", {}};
  std::vector<FolderTensor> tensors;
  for (const FolderTensor& tensor : decoder_tensors(c)) {
    if (tensor.name.find(".mlp.") == std::string::npos) tensors.push_back({tensor.name, tensor.shape, "BF16"});
  }
  for (int64_t i = 0; i < kLayers; ++i) {
    const std::string moe = "model.layers." + std::to_string(i) + ".block_sparse_moe.";
    tensors.push_back({moe + "gate.weight", {3, kD}, "BF16"});
    for (int e = 0; e < 3; ++e) {
      const std::string expert = moe + "experts." + std::to_string(e) + ".";
      tensors.push_back({expert + "w1.weight", {kFf, kD}, "BF16"});
      tensors.push_back({expert + "w2.weight", {kD, kFf}, "BF16"});
      tensors.push_back({expert + "w3.weight", {kFf, kD}, "BF16"});
    }
  }
  TempDir dir;
  write_folder(dir, config_of(c), tensors);
  for (const auto& [type, wanted] : {std::pair<std::optional<TensorType>, TensorType>{std::nullopt, TensorType::kBF16},
                                     {TensorType::kF16, TensorType::kF16},
                                     {TensorType::kF32, TensorType::kF32}}) {
    const auto report = convert_model(dir.path().string(), dir.file("out.gguf"), {.type = type});
    ASSERT_TRUE(report) << report.error().message;
    const auto model = Model::open(dir.file("out.gguf"));
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->file().tensor("blk.0.ffn_down_exps.weight")->type, wanted);
    EXPECT_EQ(model->file().tensor("blk.0.ffn_gate_inp.weight")->type, TensorType::kF32);
    EXPECT_EQ(model->file().tensor("blk.0.attn_norm.weight")->type, TensorType::kF32);
  }
  EXPECT_FALSE(convert_model(dir.path().string(), dir.file("out.gguf"), {.type = TensorType::kQ8_0}));
}

TEST(ConvertFamilies, NomicBert) {
  std::vector<FolderTensor> tensors;
  add(tensors, "embeddings.word_embeddings.weight", {8, kD});
  add(tensors, "embeddings.token_type_embeddings.weight", {2, kD});
  for (const char* end : {"weight", "bias"}) add(tensors, std::string("emb_ln.") + end, {kD});
  for (int64_t i = 0; i < kLayers; ++i) {
    const std::string layer = "encoder.layers." + std::to_string(i) + ".";
    add(tensors, layer + "attn.Wqkv.weight", {3 * kD, kD});
    add(tensors, layer + "attn.out_proj.weight", {kD, kD});
    for (const char* norm : {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"})
      add(tensors, layer + norm, {kD});
    add(tensors, layer + "mlp.fc11.weight", {kFf, kD});
    add(tensors, layer + "mlp.fc12.weight", {kFf, kD});
    add(tensors, layer + "mlp.fc2.weight", {kD, kFf});
  }
  TempDir dir;
  dir.write("config.json",
            "{\"model_type\":\"nomic_bert\",\"n_embd\":32,\"n_head\":4,\"n_layer\":2,\"n_inner\":48,\"n_positions\":64,"
            "\"layer_norm_epsilon\":1e-12,\"rotary_emb_base\":1000,\"rotary_emb_fraction\":1.0,\"vocab_size\":8,\"type_"
            "vocab_size\":2}");
  dir.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhell\n##o\nworld\n");
  dir.write("special_tokens_map.json",
            "{\"cls_token\":\"[CLS]\",\"sep_token\":\"[SEP]\",\"pad_token\":\"[PAD]\",\"unk_token\":{\"content\":\"["
            "UNK]\"}}");
  dir.write("model.safetensors", safetensors_file(tensors));
  std::filesystem::create_directory(dir.path() / "1_Pooling");
  dir.write("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true}");
  const auto report = convert_model(dir.path().string(), dir.file("out.gguf"));
  ASSERT_TRUE(report) << report.error().message;
  const auto model = Model::open(dir.file("out.gguf"));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->info().pooling, Pooling::kMean);
  EXPECT_EQ(*model->tokenizer().encode("Hello world", {.add_special = true}), (std::vector<Token>{2, 5, 6, 7, 3}));
}

/// RoBERTa's table of positions begins with rows that no text reaches; its multilingual kin has pieces and scores.
TEST(ConvertFamilies, XlmRoberta) {
  constexpr int64_t kPositions = 18;
  std::vector<FolderTensor> tensors;
  add(tensors, "roberta.embeddings.word_embeddings.weight", {8, kD});
  add(tensors, "roberta.embeddings.position_embeddings.weight", {kPositions, kD});
  add(tensors, "roberta.embeddings.token_type_embeddings.weight", {1, kD});
  for (const char* end : {"weight", "bias"}) {
    add(tensors, std::string("roberta.embeddings.LayerNorm.") + end, {kD});
    for (int64_t i = 0; i < kLayers; ++i) {
      const std::string layer = "roberta.encoder.layer." + std::to_string(i) + ".";
      const bool is_weight = std::string(end) == "weight";
      const auto matrix = [&](const std::string& name, int64_t rows, int64_t columns) {
        add(tensors, layer + name + "." + end,
            is_weight ? std::vector<int64_t>{rows, columns} : std::vector<int64_t>{rows});
      };
      for (const char* name : {"attention.self.query", "attention.self.key", "attention.self.value"})
        matrix(name, kD, kD);
      matrix("attention.output.dense", kD, kD);
      matrix("intermediate.dense", kFf, kD);
      matrix("output.dense", kD, kFf);
      for (const char* norm : {"attention.output.LayerNorm.", "output.LayerNorm."}) {
        add(tensors, layer + norm + end, {kD});
      }
    }
  }
  TempDir dir;
  const auto write_config = [&](const std::string& type) {
    dir.write("config.json",
              "{\"model_type\":\"" + type +
                  "\",\"hidden_size\":32,\"num_attention_heads\":4,\"num_hidden_layers\":2,"
                  "\"intermediate_size\":48,\"max_position_embeddings\":18,\"layer_norm_eps\":1e-5,\"vocab_size\":8,"
                  "\"type_vocab_size\":1,\"pad_token_id\":1}");
  };
  dir.write(
      "tokenizer.json",
      "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true},{\"id\":1,\"content\":\"<pad>\","
      "\"special\":true},{\"id\":2,\"content\":\"</s>\",\"special\":true},{\"id\":3,\"content\":\"<unk>\","
      "\"special\":true}],\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" "
      "\"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"add_prefix_space\":true},\"post_processor\":{\"type\":"
      "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}},{"
      "\"SpecialToken\":{\"id\":\"</s>\"}}]},\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":[[\"<s>\",0],"
      "[\"<pad>\",0],[\"</s>\",0],[\"<unk>\",0],[\"\u2581hell\",-2],[\"o\",-3],[\"\u2581\",-2.5],[\"\u2581hello\","
      "-9]]}}");
  dir.write("tokenizer_config.json",
            "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"pad_token\":\"<pad>\",\"unk_token\":\"<unk>\"}");
  dir.write("model.safetensors", safetensors_file(tensors));
  for (const char* type : {"xlm-roberta", "roberta"}) {
    write_config(type);
    const auto report = convert_model(dir.path().string(), dir.file("out.gguf"));
    ASSERT_TRUE(report) << report.error().message;
    const auto model = Model::open(dir.file("out.gguf"));
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->info().n_ctx_train, kPositions - 2);
    const GgufTensor& positions = *model->file().tensor("position_embd.weight");
    ASSERT_EQ(positions.dims[1], kPositions - 2);
    const auto wanted = seeded_values("roberta.embeddings.position_embeddings.weight", kPositions * kD);
    EXPECT_EQ(std::memcmp(positions.data, wanted.data() + 2 * kD, (kPositions - 2) * kD * 4), 0);
    // The likelier way to a word, spaces joined, and the tokens around a text.
    EXPECT_EQ(*model->tokenizer().encode("hello  hello", {.add_special = true}),
              (std::vector<Token>{0, 4, 5, 4, 5, 2}));
  }
}

}  // namespace
}  // namespace hearth::testing
