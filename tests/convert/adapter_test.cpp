// PEFT folders: an adapter over a converted model computes what a folder with merged weights does.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "convert/family_folders.h"
#include "hearth/convert.h"
#include "hearth/hearth.h"
#include "support/golden.h"

namespace hearth::testing {
namespace {

/// One matrix's part of adapter_config.json, and what PEFT would make of it.
struct Settings {
  std::string json;  ///< of adapter_config.json, beginning with a comma
  bool by_root = false;
  double alpha = 6;
  int64_t rank = 3, rank_of_down = 3;
  double alpha_of_q = 6;
};

bool is_linear(const FolderTensor& tensor) {
  return tensor.shape.size() == 2 && tensor.name.find("mlp.gate.weight") == std::string::npos;
}

/// Pairs of every matrix, and the same merged into `tensors`.
std::vector<FolderTensor> adapter_tensors(std::vector<FolderTensor>& tensors, const Settings& settings) {
  std::vector<FolderTensor> pairs;
  for (FolderTensor& w : tensors) {
    if (!is_linear(w)) continue;
    const std::string module = w.name.substr(0, w.name.rfind(".weight"));
    const bool is_embedding = module.ends_with("embed_tokens");
    const bool is_down = module.ends_with("down_proj"), is_q = module.ends_with("q_proj");
    const int64_t rank = is_down ? settings.rank_of_down : settings.rank;
    const double alpha = is_q ? settings.alpha_of_q : settings.alpha,
                 strength =
                     alpha / (settings.by_root ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
    // The embedding's matrix is [n_vocab, d]: each token adds B times a column of A.
    const int64_t n_in = is_embedding ? w.shape[0] : w.shape[1], n_out = is_embedding ? w.shape[1] : w.shape[0];
    const std::string name = "base_model.model." + module + (is_embedding ? ".lora_embedding_" : ".lora_"),
                      ending = is_embedding ? "" : ".weight";
    pairs.push_back({name + "A" + ending, {rank, n_in}});
    pairs.push_back({name + "B" + ending, {n_out, rank}});
    const auto a = values_of(pairs[pairs.size() - 2]), b = values_of(pairs.back());
    w.values = values_of(w);
    for (int64_t row = 0; row < w.shape[0]; ++row) {
      for (int64_t col = 0; col < w.shape[1]; ++col) {
        const int64_t out = is_embedding ? col : row, in = is_embedding ? row : col;
        double sum = 0;
        for (int64_t r = 0; r < rank; ++r)
          sum += double{b[static_cast<size_t>(out * rank + r)]} * double{a[static_cast<size_t>(r * n_in + in)]};
        float& value = w.values[static_cast<size_t>(row * w.shape[1] + col)];
        value = static_cast<float>(double{value} + strength * sum);
      }
    }
  }
  return pairs;
}

std::vector<float> logits(const Model& model, std::vector<AdapterScale> adapters) {
  SessionOptions options{.n_ctx = 32, .n_logits = 16, .k_type = KVType::kF32, .v_type = KVType::kF32, .n_threads = 1};
  options.adapters = std::move(adapters);
  auto session = Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<BatchToken> batch;
  for (int32_t i = 0; i < 16; ++i) batch.push_back({(5 + 37 * i) % kByteLevelTokens, i, 0, true});
  EXPECT_TRUE(session->decode(batch));
  std::vector<float> all;
  for (size_t i = 0; i < session->n_logits(); ++i)
    all.insert(all.end(), session->logits(i).begin(), session->logits(i).end());
  return all;
}

double nmse(const std::vector<float>& expected, const std::vector<float>& actual) {
  if (expected.size() != actual.size() || expected.empty()) return 1e9;
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(double{expected[i]} - double{actual[i]}, 2);
    norm += double{expected[i]} * double{expected[i]};
  }
  return error / norm;
}

/// The folder of a family whose output is a matrix of its own, so that the embedding can be merged.
std::pair<std::string, std::vector<FolderTensor>> untied_folder(const FamilyCase& c) {
  std::string config = config_of(c);
  const std::string tied = "\"tie_word_embeddings\":true";
  config.replace(config.find(tied), tied.size(), "\"tie_word_embeddings\":false");
  std::vector<FolderTensor> tensors = decoder_tensors(c);
  add(tensors, "lm_head.weight", {kByteLevelTokens, kD});
  return {config, std::move(tensors)};
}

void expect_like_merged(const FamilyCase& c, const Settings& settings) {
  const TempDir base, merged, adapter;
  auto [config, tensors] = untied_folder(c);
  write_folder(base, config, tensors);
  adapter.write("adapter_model.safetensors", safetensors_file(adapter_tensors(tensors, settings)));
  adapter.write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":6" + settings.json + "}");
  write_folder(merged, config, tensors);
  const std::string base_folder = base.path().string();
  ASSERT_TRUE(convert_model(base_folder, base.file("out.gguf"))) << c.model_type;
  ASSERT_TRUE(convert_model(merged.path().string(), merged.file("out.gguf"))) << c.model_type;
  const auto report = convert_adapter(adapter.path().string(), base_folder, adapter.file("out.gguf"));
  ASSERT_TRUE(report) << c.model_type << ": " << report.error().message;
  // The base's file says the same as its folder.
  const auto again = convert_adapter(adapter.path().string(), base.file("out.gguf"), adapter.file("again.gguf"));
  ASSERT_TRUE(again) << c.model_type << ": " << again.error().message;
  EXPECT_EQ(read_file(adapter.file("out.gguf")), read_file(adapter.file("again.gguf"))) << c.model_type;
  const auto model = Model::open(base.file("out.gguf")), changed = Model::open(merged.file("out.gguf"));
  ASSERT_TRUE(model && changed) << c.model_type;
  const auto loaded = Adapter::load(adapter.file("out.gguf"), *model);
  ASSERT_TRUE(loaded) << c.model_type << ": " << loaded.error().message;
  const auto expected = logits(*changed, {});
  EXPECT_LT(nmse(expected, logits(*model, {{*loaded, 1.0f}})), 1e-9) << c.model_type << settings.json;
  EXPECT_GT(nmse(expected, logits(*model, {})), 1e-4) << c.model_type;
}

TEST(ConvertAdapter, EveryDecoderComputesWhatMergedWeightsDo) {
  for (const FamilyCase& c : decoder_cases()) {
    if (std::string_view(c.model_type).starts_with("gemma")) continue;  // the output is the embedding always
    expect_like_merged(c, {});
  }
}

TEST(ConvertAdapter, RootsAndPatternsAreKept) {
  for (const FamilyCase& c : decoder_cases()) {
    if (c.model_type != std::string_view("llama") && c.model_type != std::string_view("qwen3_moe")) continue;
    expect_like_merged(c, {.json = ",\"use_rslora\":true", .by_root = true});
    expect_like_merged(c, {.json = ",\"alpha_pattern\":{\"self_attn.q_proj\":24}", .alpha_of_q = 24});
    expect_like_merged(c, {.json = ",\"rank_pattern\":{\"down_proj\":5}", .rank_of_down = 5});
    expect_like_merged(c, {.json = ",\"use_rslora\":true,\"rank_pattern\":{\"down_proj\":5},\"alpha_pattern\":{"
                                   "\".*layers\\\\.[0-9]+\\\\.self_attn\\\\.q_proj\":24}",
                           .by_root = true,
                           .rank_of_down = 5,
                           .alpha_of_q = 24});
  }
}

TEST(ConvertAdapter, RowsFollowTheBaseAndScalesAreKept) {
  TempDir dir;
  dir.write("config.json", config_of(decoder_cases()[0]));
  dir.write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8,\"rank_pattern\":{}}");
  const std::string layer = "base_model.model.model.layers.1.self_attn.";
  dir.write("adapter_model.safetensors", safetensors_file({{layer + "q_proj.lora_A.weight", {2, kD}},
                                                           {layer + "q_proj.lora_B.weight", {kHeads * kHeadDim, 2}},
                                                           {layer + "o_proj.lora_A.weight", {2, kHeads * kHeadDim}},
                                                           {layer + "o_proj.lora_B.weight", {kD, 2}}}));
  const std::string folder = dir.path().string();
  const auto report = convert_adapter(folder, folder, dir.file("lora.gguf"));
  ASSERT_TRUE(report) << report.error().message;
  const auto file = GgufFile::open(dir.file("lora.gguf"));
  EXPECT_EQ(*file->get_string("general.type"), "adapter");
  EXPECT_EQ(*file->get_string("adapter.type"), "lora");
  EXPECT_EQ(*file->get_string("general.architecture"), "llama");
  EXPECT_EQ(*file->get_float("adapter.lora.alpha"), 8);
  const GgufTensor* b = file->tensor("blk.1.attn_q.weight.lora_b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dims[0], 2);
  EXPECT_EQ(b->dims[1], kHeads * kHeadDim);
  const auto wanted = seeded_values(layer + "q_proj.lora_B.weight", kHeads * kHeadDim * 2);
  EXPECT_EQ(std::memcmp(b->data + 8, wanted.data() + kHeadDim / 2 * 2, 8), 0) << "row 1 is row 4 of the folder";
  EXPECT_EQ(file->tensor("blk.1.attn_output.weight.lora_a")->dims[0], kHeads * kHeadDim);
  dir.write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8,\"use_dora\":true}");
  EXPECT_EQ(convert_adapter(folder, folder, dir.file("no.gguf")).error().code, ErrorCode::kUnsupported);
}

/// A folder with the adapter of one matrix.
struct SmallFolder {
  SmallFolder() {
    dir.write("config.json", config_of(decoder_cases()[0]));
    write({{kModule + ".lora_A.weight", {2, kD}}, {kModule + ".lora_B.weight", {kD, 2}}});
  }
  void write(const std::vector<FolderTensor>& tensors) const {
    dir.write("adapter_model.safetensors", safetensors_file(tensors));
  }
  Result<ConvertReport> convert(const std::string& more = "") const {
    dir.write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8" + more + "}");
    return convert_adapter(dir.path().string(), dir.path().string(), dir.file("lora.gguf"));
  }
  inline static const std::string kModule = "base_model.model.model.layers.1.mlp.gate_proj";
  TempDir dir;
};

TEST(ConvertAdapter, InvocationTokensAreKept) {
  const SmallFolder folder;
  ASSERT_TRUE(folder.convert(",\"alora_invocation_tokens\":[5,258]"));
  const auto file = GgufFile::open(folder.dir.file("lora.gguf"));
  ASSERT_TRUE(file);
  const auto tokens = file->find("adapter.alora.invocation_tokens");
  ASSERT_NE(tokens, nullptr);
  EXPECT_EQ(*tokens->as_int_array(), (std::vector<int64_t>{5, 258}));
  EXPECT_FALSE(folder.convert(",\"alora_invocation_tokens\":[-1]"));
  EXPECT_EQ(folder.convert(",\"invocation_string\":\"<go>\"").error().code, ErrorCode::kUnsupported);
}

TEST(ConvertAdapter, WhatHasNoPlaceIsNamed) {
  const SmallFolder folder;
  const std::string& module = SmallFolder::kModule;
  ASSERT_TRUE(folder.convert());
  const auto refusal = [&](const std::vector<FolderTensor>& tensors) {
    folder.write(tensors);
    const auto report = folder.convert();
    return report ? std::string() : report.error().message;
  };
  const FolderTensor a{module + ".lora_A.weight", {2, kD}}, b{module + ".lora_B.weight", {kD, 2}};
  EXPECT_NE(refusal({a}).find("missing"), std::string::npos);
  EXPECT_NE(refusal({a, {module + ".lora_B.weight", {kD, 3}}}).find("rank"), std::string::npos);
  EXPECT_NE(refusal({a, b, {module + ".lora_magnitude_vector", {kD}}}).find("magnitude"), std::string::npos);
  EXPECT_NE(refusal({a, b, {"base_model.model.lm_head.weight", {kD, kD}}}).find("lm_head"), std::string::npos);
  EXPECT_EQ(refusal({a, b, {module + ".base_layer.weight", {kFf, kD}}}), "");
  folder.write({a, b, {"base_model.model.model.layers.1.input_layernorm.weight", {kD}}});
  const auto report = folder.convert();
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->warnings.size(), 1u);
  EXPECT_NE(report->warnings[0].find("input_layernorm"), std::string::npos);
}

TEST(ConvertAdapter, ABaseThatSaysTooLittleIsNamed) {
  const SmallFolder folder;
  ASSERT_TRUE(folder.convert());
  const auto refusal = [&](const std::string& base) {
    const auto report = convert_adapter(folder.dir.path().string(), base, folder.dir.file("no.gguf"));
    return report ? std::string() : report.error().message;
  };
  folder.dir.write("text.gguf", "no model");
  EXPECT_NE(refusal(folder.dir.file("text.gguf")).find("text.gguf"), std::string::npos);
  EXPECT_NE(refusal(folder.dir.file("none.gguf")).find("none.gguf"), std::string::npos);
  const auto write = [&](const char* arch, std::optional<uint32_t> n_heads) {
    auto out = GgufWriter::create(folder.dir.file("base.gguf"));
    ASSERT_TRUE(out && out->add_string("general.architecture", arch));
    if (n_heads) {
      ASSERT_TRUE(out->add_uint32("llama.attention.head_count", *n_heads));
    }
    ASSERT_TRUE(out->finish());
  };
  write("mamba", 4);
  EXPECT_NE(refusal(folder.dir.file("base.gguf")).find("'mamba' is not known"), std::string::npos);
  write("llama", std::nullopt);
  EXPECT_NE(refusal(folder.dir.file("base.gguf")).find("llama.attention.head_count"), std::string::npos);
  write("llama", 0);
  EXPECT_NE(refusal(folder.dir.file("base.gguf")).find("llama.attention.head_count"), std::string::npos);
  write("llama", 4);
  EXPECT_EQ(refusal(folder.dir.file("base.gguf")), "");
}

TEST(ConvertAdapter, ExpertsMustBeComplete) {
  const auto& cases = decoder_cases();
  const auto& c = *std::find_if(cases.begin(), cases.end(), [](const auto& row) { return row.experts; });
  const TempDir dir;
  dir.write("config.json", config_of(c));
  dir.write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8}");
  std::vector<FolderTensor> tensors;
  for (const int expert : {0, 2}) {
    const std::string name = "base_model.model.model.layers.0.mlp.experts." + std::to_string(expert) + ".up_proj.lora_";
    tensors.push_back({name + "A.weight", {2, kD}});
    tensors.push_back({name + "B.weight", {16, 2}});
  }
  dir.write("adapter_model.safetensors", safetensors_file(tensors));
  const auto report = convert_adapter(dir.path().string(), dir.path().string(), dir.file("lora.gguf"));
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("experts"), std::string::npos) << report.error().message;
}

}  // namespace
}  // namespace hearth::testing
