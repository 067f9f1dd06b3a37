// hearth convert and hearth imatrix as processes: what they need, and what they leave behind when they are stopped, the
// disk is full or a file cannot be read.
#include "convert/folder_builder.h"
#include "hearth/model.h"
#include "support/paths.h"
#include "tool/interrupted_runs.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

constexpr int64_t kWidth = 1024, kWide = 6144;

class ConvertCommand : public ToolTest {
 protected:
  /// A folder of 93 MB, matrices of 13 MB: a hole behind the header, so that it takes no room.
  void make_folder() {
    std::filesystem::create_directory(folder_ / "hf");
    std::vector<std::pair<std::string, std::vector<int64_t>>> tensors = {
        {"model.embed_tokens.weight", {kByteLevelTokens, kWidth}}, {"model.norm.weight", {kWidth}}};
    for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
      for (const char* name : {"q", "k", "v", "o"})
        tensors.push_back({layer + "self_attn." + name + "_proj.weight", {kWidth, kWidth}});
      tensors.push_back({layer + "mlp.gate_proj.weight", {kWide, kWidth}});
      tensors.push_back({layer + "mlp.up_proj.weight", {kWide, kWidth}});
      tensors.push_back({layer + "mlp.down_proj.weight", {kWidth, kWide}});
      for (const char* name : {"input", "post_attention"})
        tensors.push_back({layer + name + "_layernorm.weight", {kWidth}});
    }
    std::string header = "{";
    uint64_t at = 0;
    for (const auto& [name, shape] : tensors) {
      const uint64_t bytes = 2 * static_cast<uint64_t>(shape[0] * (shape.size() > 1 ? shape[1] : 1));
      header += (at > 0 ? ",\"" : "\"") + name + "\":{\"dtype\":\"BF16\",\"shape\":[" + std::to_string(shape[0]) +
                (shape.size() > 1 ? "," + std::to_string(shape[1]) : "") + "],\"data_offsets\":[" + std::to_string(at) +
                "," + std::to_string(at + bytes) + "]}";
      at += bytes;
    }
    header += "}";
    const uint64_t n = header.size();
    write(path("hf/model.safetensors"), std::string(reinterpret_cast<const char*>(&n), sizeof(n)) + header);
    std::filesystem::resize_file(path("hf/model.safetensors"), sizeof(n) + n + at);
    write(path("hf/tokenizer.json"), byte_level_tokenizer());
    write(path("hf/config.json"),
          "{\"model_type\":\"llama\",\"hidden_size\":1024,\"intermediate_size\":6144,\"num_hidden_layers\":2,"
          "\"num_attention_heads\":16,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-6,\"tie_word_embeddings\":"
          "true}");
    n_before_ = n_files();
  }
  ToolRun convert_run(const std::string& type) const {
    return {.args = {"convert", path("hf"), "-o", path("out.gguf"), "--type", type}};
  }
  size_t n_before_ = 0;
};

TEST_F(ConvertCommand, MemoryDoesNotGrowWithTheFolder) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take address space of their own";
#endif
  make_folder();
  for (const char* type : {"bf16", "f32"}) {
    ToolRun run = convert_run(type);
    run.max_address_bytes = 100 << 20;
    const ToolResult result = run_tool(run);
    ASSERT_EQ(result.exit_code, 0) << type << " " << result.err;
    EXPECT_TRUE(GgufFile::open(path("out.gguf"))) << type;
    EXPECT_LT(result.max_resident_bytes, 50 << 20) << type;
  }
}

TEST_F(ConvertCommand, InterruptedAtAnyMomentItLeavesNothingOrAWholeFile) {
  make_folder();
  expect_nothing_or_a_whole_model(convert_run("q8_0"), path("out.gguf"), 4, [this] { return n_files(); });
}

TEST_F(ConvertCommand, AFullDiskIsOneLine) {
  make_folder();
  for (const char* type : {"bf16", "q8_0"}) {
    ToolRun run = convert_run(type);
    run.max_file_bytes = 30 << 20;
    expect_one_error_line(run_tool(run), "out.gguf");
    EXPECT_EQ(n_files(), n_before_);
  }
}

/// Names of what is not there, is a folder, is empty, or is something else.
TEST_F(ConvertCommand, WhatCannotBeReadIsOneLine) {
  std::filesystem::create_directory(folder_ / "folder");
  write(path("empty.gguf"), "");
  write(path("text.gguf"), "What is this?");
  for (const std::string name : {"none.gguf", "folder", "empty.gguf", "text.gguf"}) {
    const size_t before = n_files();
    expect_one_error_line(run_tool({"quantize", path(name), path("out.gguf"), "Q4_0"}), name);
    expect_one_error_line(run_tool({"convert", path(name), "-o", path("out.gguf")}), name);
    expect_one_error_line(run_tool({"compare", path(name), model_}), name);
    expect_one_error_line(run_tool({"verify", path(name)}), name);
    expect_one_error_line(
        run_tool({"quantize", model_, path("out.gguf"), "Q4_0", "--requantize", "--imatrix", path(name)}), name);
    EXPECT_EQ(n_files(), before) << name;
  }
  expect_one_error_line(run_tool({"quantize", model_, path("none/out.gguf"), "Q4_0", "--requantize"}), "none/");
}

TEST_F(ConvertCommand, ImatrixInterruptedOrOnAFullDiskLeavesNothing) {
  const std::string base = source_dir() + "/examples/models/small-world-q8_0.gguf";
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "Mia has a red kite. Tom has " + std::to_string(i) + " blue boats. ";
  write(path("long.txt"), text);
  const size_t before = n_files();
  ToolRun run{.args = {"imatrix", base, path("long.txt"), "-o", path("m.gguf")}};
  run.interrupt_after_ms = 1000;
  const ToolResult interrupted = run_tool(run);
  EXPECT_EQ(interrupted.exit_code, 130) << interrupted.err;
  EXPECT_EQ(n_files(), before);
  ToolRun full{.args = {"imatrix", base, path("long.txt"), "-o", path("m.gguf"), "-c", "64", "--chunks", "2"}};
  full.max_file_bytes = 10000;
  const ToolResult result = run_tool(full);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("m.gguf"), std::string::npos) << result.err;
  EXPECT_EQ(n_files(), before);
}

}  // namespace
}  // namespace hearth::testing
