// Golden tokenizer data: every vocabulary of the folder against recorded ids and texts.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hearth/tokenizer.h"
#include "lib/unicode/normalize.h"
#include "lib/unicode/utf8.h"
#include "support/golden.h"

namespace hearth {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int kShownFailures = 5;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

/// Field `name`, or `name`_hex where the bytes are not UTF-8.
std::string bytes_of(const json& row, const std::string& name, const std::string& hex_name) {
  return row.contains(hex_name) ? from_hex(row[hex_name]) : row[name].get<std::string>();
}

std::vector<std::string> split_by(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at; (at = text.find(separator, begin)) != std::string::npos; begin = at + separator.size()) {
    parts.push_back(text.substr(begin, at - begin));
  }
  if (begin < text.size()) parts.push_back(text.substr(begin));
  return parts;
}

std::vector<Token> ids_of(const std::string& line) {
  std::vector<Token> ids;
  std::istringstream in(line);
  for (Token id; in >> id;) ids.push_back(id);
  return ids;
}

/// Counts mismatches and shows the first ones.
class Report {
 public:
  void check(bool equal, const std::string& what) {
    ++cases_;
    if (equal || ++failures_ > kShownFailures) return;
    ADD_FAILURE() << what;
  }
  ~Report() {
    EXPECT_EQ(failures_, 0) << "of " << cases_ << " checks";
    EXPECT_GT(cases_, 0);
  }

 private:
  int cases_ = 0, failures_ = 0;
};

std::string shown(const std::vector<Token>& ids) {
  std::string text;
  for (const Token id : ids) text += std::to_string(id) + " ";
  return text;
}

Result<Tokenizer> open_tokenizer(const fs::path& path) {
  const auto file = GgufFile::open(path.string());
  if (!file) return file.error();
  return Tokenizer::from_gguf(*file);
}

class GoldenVocab : public ::testing::Test {
 protected:
  void check_texts(const fs::path& gguf, const Tokenizer& tokenizer) {
    Report report;
    const auto texts = split_by(testing::read_file(gguf.string() + ".inp"), "\n__ggml_vocab_test__\n");
    const auto lines = split_by(testing::read_file(gguf.string() + ".out"), "\n");
    ASSERT_EQ(texts.size(), lines.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto ids = tokenizer.encode(texts[i]);
      report.check(ids && *ids == ids_of(lines[i]), "text " + std::to_string(i) + ": " + texts[i]);
      const auto count = tokenizer.count(texts[i]);
      report.check(count && ids && *count == ids->size(), "count of text " + std::to_string(i));
    }
  }

  void check_case(const json& row, const Tokenizer& tokenizer, Report& report) {
    const EncodeOptions options{.add_special = row["add_special"], .parse_special = row["parse_special"]};
    const std::string text = bytes_of(row, "text", "bytes_hex");
    const auto ids = tokenizer.encode(text, options);
    if (row.contains("error")) return;  // not crashing is enough
    const std::string where = row["cat"].get<std::string>() + ": " + row.dump(-1, ' ', true).substr(0, 600);
    const auto expected = row["ids"].get<std::vector<Token>>();
    report.check(ids && *ids == expected, where + "\n  got " + (ids ? shown(*ids) : ids.error().message));
    const auto count = tokenizer.count(text, options);
    report.check(count && *count == expected.size(), "count, " + where);
    const auto decoded = tokenizer.decode(expected);
    report.check(decoded && *decoded == bytes_of(row, "detok", "detok_hex"), "decode, " + where);
  }
};

/// The oracle of these files does not put text into NFC, as the makers of Qwen's vocabularies do: where that matters,
/// the text must give what its normal form gives. False where it does not matter.
bool check_normalized(const fs::path& sidecar, const Tokenizer& tokenizer, const std::string& text, Report& report) {
  const auto file = GgufFile::open(fs::path(sidecar).replace_extension(".gguf").string());
  const auto pre = file ? file->get_string("tokenizer.ggml.pre") : Result<std::string_view>(file.error());
  if (!pre || !pre->starts_with("qwen") || !utf8::is_clean(text)) return false;
  const std::string normal = unicode::nfc(text);
  if (normal == text) return false;
  const auto ids = tokenizer.encode(text), expected = tokenizer.encode(normal);
  report.check(ids && expected && *ids == *expected, "not normalized: " + text);
  return true;
}

TEST_F(GoldenVocab, TextsAndMoreCases) {
  const auto files = testing::golden_files("vocab", ".gguf");
  if (files.empty()) GTEST_SKIP() << "no golden vocabularies in " << testing::golden_dir();
  for (const fs::path& gguf : files) {
    const std::string name = gguf.stem().string();
    SCOPED_TRACE(name);
    const auto tokenizer = open_tokenizer(gguf);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    if (fs::exists(gguf.string() + ".inp")) check_texts(gguf, *tokenizer);
    const std::string prefix = "ggml-vocab-";
    const std::string short_name = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    const auto lines = split_by(testing::read_file(gguf.parent_path() / (short_name + ".more.jsonl")), "\n");
    if (lines.empty()) continue;
    Report report;
    for (const std::string& line : lines) check_case(json::parse(line), *tokenizer, report);
  }
}

TEST_F(GoldenVocab, Models) {
  const auto files = testing::golden_files("models", ".json");
  if (files.empty()) GTEST_SKIP() << "no golden models in " << testing::golden_dir();
  for (const fs::path& path : files) {
    SCOPED_TRACE(path.filename().string());
    const json sidecar = json::parse(testing::read_file(path));
    const auto tokenizer = open_tokenizer(fs::path(path).replace_extension(".gguf"));
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    Report report;
    for (const json& row : sidecar.value("tokenization", json::array())) {
      const std::string text = bytes_of(row, "text", "text_hex");
      if (check_normalized(path, *tokenizer, text, report)) continue;
      const auto ids = tokenizer->encode(text);
      const auto special = tokenizer->encode(text, {.add_special = true, .parse_special = true});
      report.check(ids && *ids == row["ids"].get<std::vector<Token>>(), "ids of " + row.dump(-1, ' ', true));
      report.check(special && *special == row["ids_special"].get<std::vector<Token>>(),
                   "ids_special of " + row.dump(-1, ' ', true));
      const auto decoded = tokenizer->decode(row["ids"].get<std::vector<Token>>());
      report.check(decoded && *decoded == bytes_of(row, "detokenized", "detokenized_hex"),
                   "decode of " + row.dump(-1, ' ', true));
    }
    for (const json& row : sidecar.value("texts", json::array())) {
      const auto ids =
          tokenizer->encode(bytes_of(row, "text", "text_hex"), {.add_special = true, .parse_special = true});
      report.check(ids && *ids == row["ids"].get<std::vector<Token>>(), "ids of " + row.dump(-1, ' ', true));
    }
    if (sidecar.contains("greedy")) {
      const json& greedy = sidecar["greedy"];
      TokenDecoder stream(*tokenizer);
      std::string text;
      for (const Token id : greedy["ids"].get<std::vector<Token>>()) text += stream.push(id);
      const std::string expected = bytes_of(greedy, "text", "text_hex");
      report.check(expected.starts_with(text) && expected.size() - text.size() < 4, "stream of greedy ids: " + text);
      const auto prompt =
          tokenizer->encode(bytes_of(greedy, "prompt", "prompt_hex"), {.add_special = true, .parse_special = true});
      report.check(prompt && *prompt == greedy["prompt_ids"].get<std::vector<Token>>(), "prompt_ids");
    }
    if (sidecar.contains("add_bos")) report.check(tokenizer->add_bos() == sidecar["add_bos"].get<bool>(), "add_bos");
    if (sidecar.contains("add_eos")) report.check(tokenizer->add_eos() == sidecar["add_eos"].get<bool>(), "add_eos");
    if (sidecar.contains("bos")) report.check(tokenizer->bos().value_or(-1) == sidecar["bos"].get<Token>(), "bos");
    if (sidecar.contains("eos")) report.check(tokenizer->eos().value_or(-1) == sidecar["eos"].get<Token>(), "eos");
  }
}

}  // namespace
}  // namespace hearth
