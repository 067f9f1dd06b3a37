// Folders of Hugging Face models against the GGUF files that must come of them: metadata, tensors bit for bit, tokens,
// logits.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hearth/convert.h"
#include "hearth/session.h"
#include "support/golden.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

void expect_value(const GgufFile& file, const std::string& key, const Json& wanted) {
  const GgufValue* value = file.find(key);
  ASSERT_NE(value, nullptr) << key;
  if (wanted.is_boolean()) {
    EXPECT_EQ(*value->as_bool(), wanted.get<bool>()) << key;
  } else if (wanted.is_string()) {
    EXPECT_EQ(*value->as_string(), wanted.get<std::string>()) << key;
  } else if (wanted.is_number_integer()) {
    EXPECT_EQ(*value->as_int(), wanted.get<int64_t>()) << key;
  } else {
    EXPECT_EQ(*value->as_float(), wanted.get<double>()) << key;
  }
}

void expect_same_array(const GgufFile& ours, const GgufFile& wanted, const char* key) {
  const GgufValue *a = ours.find(key), *b = wanted.find(key);
  ASSERT_EQ(a != nullptr, b != nullptr) << key;
  if (b == nullptr) return;
  ASSERT_EQ(a->bytes().size(), b->bytes().size()) << key;
  EXPECT_EQ(std::memcmp(a->bytes().data(), b->bytes().data(), a->bytes().size()), 0) << key;
}

void expect_same_tensors(const GgufFile& ours, const GgufFile& wanted, const std::string& name) {
  EXPECT_EQ(ours.tensors().size(), wanted.tensors().size()) << name;
  for (const GgufTensor& tensor : wanted.tensors()) {
    const GgufTensor* own = ours.tensor(tensor.name);
    ASSERT_NE(own, nullptr) << name << " " << tensor.name;
    EXPECT_EQ(own->type, tensor.type) << name << " " << tensor.name;
    EXPECT_EQ(own->dims, tensor.dims) << name << " " << tensor.name;
    ASSERT_EQ(own->size_bytes, tensor.size_bytes) << name << " " << tensor.name;
    EXPECT_EQ(std::memcmp(own->data, tensor.data, tensor.size_bytes), 0) << name << " " << tensor.name;
  }
}

void expect_tokens(const Tokenizer& tokenizer, const Json& texts, const std::string& name) {
  for (const Json& text : texts) {
    const auto plain = tokenizer.encode(text["text"].get<std::string>());
    ASSERT_TRUE(plain);
    EXPECT_EQ(Json(*plain), text["ids"]) << name << ": " << text["text"];
    const auto special =
        tokenizer.encode(text["text"].get<std::string>(), {.add_special = true, .parse_special = true});
    EXPECT_EQ(Json(*special), text["ids_special"]) << name << ": " << text["text"];
  }
}

void expect_logits(const Model& model, const Json& json, const std::string& name) {
  const std::vector<Token> tokens = json["tokens"];
  const std::string bytes = read_file(golden_dir() / "safetensors" / (name + ".logits.f32"));
  const auto n_vocab = static_cast<size_t>(model.info().n_vocab);
  ASSERT_EQ(bytes.size(), tokens.size() * n_vocab * sizeof(float)) << name;
  const auto n = static_cast<int32_t>(tokens.size());
  auto session = Session::create(model, {.n_ctx = n,
                                         .n_batch = n,
                                         .n_logits = n,
                                         .k_type = KVType::kF32,
                                         .v_type = KVType::kF32,
                                         .exact_products = true});
  ASSERT_TRUE(session) << session.error().message;
  ASSERT_TRUE(session->prefill(tokens, {.all_logits = true}));
  double error = 0, power = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    for (size_t i = 0; i < n_vocab; ++i) {
      float wanted;
      std::memcpy(&wanted, bytes.data() + (t * n_vocab + i) * sizeof(float), sizeof(float));
      const double d = static_cast<double>(session->logits(t)[i]) - static_cast<double>(wanted);
      error += d * d;
      power += static_cast<double>(wanted) * static_cast<double>(wanted);
    }
  }
  EXPECT_LT(error, 1e-6 * power) << name;
}

TEST(GoldenConvert, FoldersBecomeTheRecordedFiles) {
  const auto files = golden_files("safetensors", ".json");
  if (files.empty()) GTEST_SKIP() << "no golden data in " << golden_dir();
  TempDir dir;
  for (const auto& path : files) {
    const std::string name = path.stem().string();
    const Json json = Json::parse(read_file(path));
    const std::string out = dir.file(name + ".gguf");
    const auto report = convert_model((golden_dir() / "safetensors" / name).string(), out);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->warnings.empty()) << report->warnings[0];
    const auto model = Model::open(out);
    ASSERT_TRUE(model) << name << ": " << model.error().message;
    for (const auto& [key, value] : json["metadata"].items()) expect_value(model->file(), key, value);
    const auto wanted = GgufFile::open((golden_dir() / "safetensors" / (name + ".gguf")).string());
    ASSERT_TRUE(wanted);
    for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges"}) {
      expect_same_array(model->file(), *wanted, key);
    }
    expect_same_tensors(model->file(), *wanted, name);
    for (size_t i = 0; i < model->file().tensors().size(); ++i) EXPECT_TRUE(model->file().check_tensor(i));
    expect_tokens(model->tokenizer(), json["tokenization"], name);
    const auto special = [&](const char* key) { return json["special_token_ids"].value(key, -1); };
    EXPECT_EQ(model->tokenizer().bos().value_or(-1), special("bos")) << name;
    EXPECT_EQ(model->tokenizer().eos().value_or(-1), special("eos")) << name;
    EXPECT_EQ(model->tokenizer().add_bos(), json["add_special_token"]["bos"].get<bool>()) << name;
    expect_logits(*model, json, name);
  }
}

}  // namespace
}  // namespace hearth::testing
