// Memory that runs out in calls that make, measure and compare files.
#include <filesystem>
#include <functional>

#include "convert/folder_builder.h"
#include "out_of_memory/sweep_world.h"
#include "support/golden.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

Result<std::string> write_a_file(const std::string& path, const GgufFile& from) {
  Result<GgufWriter> writer = GgufWriter::create(path);
  if (!writer) return writer.error();
  for (const GgufEntry& entry : from.entries()) {
    if (Status s = writer->add_value(entry.key, entry.value); !s) return s.error();
  }
  if (Status s = writer->add_string("a.string.of.the.test", "with a value that does not fit"); !s) return s.error();
  for (const GgufTensor& tensor : from.tensors()) {
    if (Status s = writer->add_tensor(tensor.name, tensor.type, {tensor.dims.data(), tensor.n_dims}); !s)
      return s.error();
  }
  for (const GgufTensor& tensor : from.tensors()) {
    if (Status s = writer->write_data({tensor.data, tensor.size_bytes}); !s) return s.error();
  }
  if (Status s = writer->finish(); !s) return s.error();
  return std::string();
}

TEST(OutOfMemory, Write) {
  const TempDir dir;
  const std::string path = dir.file("written.gguf");
  const GgufFile from = *GgufFile::from_memory(tiny_file());
  const auto call = [&] { return write_a_file(path, from); };
  const auto show = [&](const std::string&) {
    std::error_code ignored;
    const std::string bytes = read_file(path);
    std::filesystem::remove(path, ignored);
    return std::to_string(std::hash<std::string>()(bytes)) + " " + std::to_string(dir.count());
  };
  sweep(call, show);
  EXPECT_EQ(dir.count(), 0u) << "a temporary is left";
}

std::string describe(const ConvertReport& report) {
  return report.architecture + " " + std::to_string(report.n_tensors);
}

TEST(OutOfMemory, ConvertAFolder) {
  const TempDir dir;
  std::vector<FolderTensor> tensors = {{"model.embed_tokens.weight", {kByteLevelTokens, 8}},
                                       {"model.norm.weight", {8}}};
  for (const char* name : {"self_attn.q_proj", "mlp.experts.0.up_proj", "mlp.experts.1.up_proj", "input_layernorm"}) {
    tensors.push_back({"model.layers.0." + std::string(name) + ".weight", {8, 8}, "BF16"});
  }
  dir.write("config.json",
            "{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
            "\"max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}");
  dir.write("tokenizer.json", byte_level_tokenizer());
  dir.write("tokenizer_config.json", "{\"bos_token\":\"<s>\",\"chat_template\":\"{{ 1 }}\"}");
  dir.write("model.safetensors", safetensors_file(tensors));
  const std::string folder = dir.path().string(), out = dir.file("out.gguf");
  sweep([&] { return convert_model(folder, out); }, [](const ConvertReport& report) { return describe(report); });
  dir.write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8}");
  const std::string layer = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  dir.write("adapter_model.safetensors",
            safetensors_file({{layer + "A.weight", {2, 8}}, {layer + "B.weight", {8, 2}}}));
  sweep([&] { return convert_adapter(folder, folder, out); },
        [](const ConvertReport& report) { return describe(report); });
}

TEST(OutOfMemory, Measure) {
  const std::string text(300, 'a');
  const MeasureOptions run{.chunk_size = 16, .max_chunks = 2, .n_threads = 2};
  const TempDir dir;
  const std::string saved = dir.file("saved");
  const PerplexityOptions saving{.run = run, .save_logits = saved}, comparing{.run = run, .base_logits = saved};
  sweep([&] { return measure_perplexity(tiny_model(), text, saving); },
        [](const PerplexityReport& report) { return std::to_string(report.perplexity.value); });
  sweep([&] { return measure_perplexity(tiny_model(), "", comparing); },
        [](const PerplexityReport& report) { return std::to_string(report.divergence->kld.value); });
  sweep([&] { return measure_importance(tiny_model(), text, {.run = run}); },
        [](const ImportanceMatrix& matrix) { return std::to_string(matrix.entries().size()); });
  sweep([&] { return compare_files(tiny_model().file(), tiny_model().file(), {.n_threads = 1}); },
        [](const FileComparison& comparison) { return std::to_string(comparison.tensors.size()); });
}

TEST(OutOfMemory, Quantize) {
  const TempDir dir;
  const auto& bytes = tiny_file();
  const std::string from = dir.write("model.gguf", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  QuantizeOptions options{.type = "Q4_K_M", .n_threads = 1};
  options.overrides.push_back({"attn_(q|k)", TensorType::kQ8_0});
  const std::string to = dir.file("out.gguf");
  const auto make = [&] { return Quantizer::open(from, options); };
  sweep(make, [](const Quantizer& made) { return std::to_string(made.target_bytes()); });
  Quantizer quantizer = *make();
  sweep([&] { return quantizer.run(to); },
        [](const QuantizeReport& report) { return std::to_string(report.file_bytes); });
  sweep([] { return parse_tensor_type("no such type of tensors"); }, [](TensorType) { return "a success"; });
}

}  // namespace
}  // namespace hearth::testing
