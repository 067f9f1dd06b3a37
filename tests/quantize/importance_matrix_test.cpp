// ImportanceMatrix: both forms of files as other programs write them, merging, weights, and what is refused.
#include "hearth/importance_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/golden.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

ImportanceMatrix matrix_of(std::vector<ImportanceMatrix::Entry> entries) {
  ImportanceMatrix matrix;
  matrix.chunk_size = 64;
  for (const auto& entry : entries) EXPECT_TRUE(matrix.add(entry));
  return matrix;
}

std::vector<float> list(std::span<const float> values) {
  return {values.begin(), values.end()};
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(ImportanceMatrix, WeightsAreMeansOfEachMatrix) {
  const auto m = matrix_of({{"b", {2, 4, 6, 8}, {2, 0}}, {"a", {3, 6, 9, 12}, {3}}});
  EXPECT_EQ(list(m.weights("a")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(list(m.weights("a", 1, 2)), (std::vector<float>{3, 4})) << "a matrix per head, one count";
  EXPECT_EQ(list(m.weights("b", 0)), (std::vector<float>{1, 2}));
  EXPECT_EQ(list(m.weights("b", 1)), (std::vector<float>{1, 1})) << "an expert that never ran";
  EXPECT_TRUE(m.weights("b", 2).empty());
  EXPECT_TRUE(m.weights("b", 0, 3).empty());
  EXPECT_TRUE(m.weights("c").empty());
}

TEST(ImportanceMatrix, MergingAddsAndLeavesNothingHalfDone) {
  auto m = matrix_of({{"a", {1, 2}, {1}}});
  ASSERT_TRUE(m.merge(m));
  EXPECT_EQ(m.find("a")->sums, (std::vector<float>{2, 4}));
  EXPECT_EQ(m.find("a")->counts, (std::vector<float>{2}));
  const auto other = matrix_of({{"0", {1}, {1}}, {"a", {1, 2, 3}, {1}}});
  const Status merged = m.merge(other);
  ASSERT_FALSE(merged);
  EXPECT_NE(merged.error().message.find("'a'"), std::string::npos);
  EXPECT_EQ(m.find("0"), nullptr);
}

TEST(ImportanceMatrix, ValuesThatCannotBeAreRefused) {
  ImportanceMatrix m;
  EXPECT_FALSE(m.add({"a", {1, -1}, {1}}));
  EXPECT_FALSE(m.add({"a", {1, NAN}, {1}}));
  EXPECT_FALSE(m.add({"a", {1, 1}, {1, 1, 1}}));
  EXPECT_FALSE(m.add({"a", {}, {}}));
  EXPECT_FALSE(m.add({"", {1}, {1}}));
  EXPECT_TRUE(m.entries().empty());
}

TEST(ImportanceMatrix, FewTokensAreSaid) {
  EXPECT_EQ(matrix_of({{"a", {1}, {5000}}}).warnings().size(), 0u);
  EXPECT_EQ(matrix_of({{"a", {1}, {500}}}).warnings().size(), 1u);
  const auto lines = matrix_of({{"experts", {1, 1, 1}, {9000, 0, 30}}}).warnings();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("'experts': of 3 experts 1 saw no token, 1 fewer"), std::string::npos) << lines[0];
}

TEST(ImportanceMatrix, AFileSaysWhatWasWritten) {
  TempDir dir;
  auto m = matrix_of({{"b", {2, 4, 6, 8}, {2, 0}}, {"a", {3, 6, 9}, {3}}});
  m.datasets = {"text one", "text two"};
  m.n_chunks = 7;
  ASSERT_TRUE(m.write(dir.file("m.gguf")));
  const auto again = ImportanceMatrix::read(dir.file("m.gguf"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->datasets, m.datasets);
  EXPECT_EQ(again->n_chunks, 7);
  EXPECT_EQ(again->chunk_size, 64);
  ASSERT_EQ(again->entries().size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again->entries()[i].name, m.entries()[i].name);
    EXPECT_EQ(again->entries()[i].sums, m.entries()[i].sums);
    EXPECT_EQ(again->entries()[i].counts, m.entries()[i].counts);
  }
  EXPECT_FALSE(ImportanceMatrix().write(dir.file("empty.gguf")));
}

/// The older form: one entry of two values.
std::string older_form(int32_t n_values, float value) {
  std::string out;
  const auto put = [&](auto v) { out.append(reinterpret_cast<const char*>(&v), sizeof(v)); };
  put(int32_t{1});
  put(int32_t{1});
  out += "a";
  put(int32_t{4});
  put(n_values);
  put(value);
  put(value);
  put(int32_t{4});
  return out;
}

TEST(ImportanceMatrix, TheOlderFormCutAnywhereIsRefused) {
  const std::string whole = older_form(2, 6);
  const auto m = ImportanceMatrix::from_memory(bytes_of(whole));
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(list(m->weights("a")), (std::vector<float>{1.5, 1.5}));
  EXPECT_EQ(m->n_chunks, 4);
  for (size_t n = 0; n < whole.size() - 4; ++n) {
    EXPECT_FALSE(ImportanceMatrix::from_memory(bytes_of(whole.substr(0, n)))) << n;
  }
  EXPECT_FALSE(ImportanceMatrix::from_memory(bytes_of(older_form(2000000000, 1))));
  EXPECT_FALSE(ImportanceMatrix::from_memory(bytes_of(older_form(-1, 1))));
  EXPECT_FALSE(ImportanceMatrix::from_memory(bytes_of(older_form(2, -1))));
}

Json golden_index() {
  std::ifstream in(golden_dir() / "imatrix" / "index.json");
  return in ? Json::parse(in) : Json();
}

TEST(GoldenImportanceMatrix, FilesOfBothFormsHoldWhatIsRecorded) {
  const Json index = golden_index();
  if (index.is_null()) GTEST_SKIP() << "no golden data in " << golden_dir();
  for (const Json& file : index["files"]) {
    const std::string name = file["file"];
    const auto m = ImportanceMatrix::read((golden_dir() / "imatrix" / name).string());
    ASSERT_TRUE(m) << m.error().message;
    ASSERT_EQ(m->entries().size(), file["entries"].size()) << name;
    const bool older = name.ends_with(".dat");
    for (const Json& entry : file["entries"]) {
      const std::string tensor = entry["tensor"];
      const ImportanceMatrix::Entry* found = m->find(tensor);
      ASSERT_NE(found, nullptr) << name << " " << tensor;
      double sum = 0;
      for (const float v : found->sums) sum += static_cast<double>(v);
      const double wanted = entry["sum"];
      EXPECT_NEAR(sum, wanted, 1e-6 * wanted + 1e-6) << name << " " << tensor;
      if (!older) {
        EXPECT_EQ(Json(found->counts), entry["counts"]) << name << " " << tensor;
      }
    }
  }
}

TEST(GoldenImportanceMatrix, WrittenAgainAFileHasTheSameBytes) {
  const auto files = golden_files("imatrix", ".imatrix.gguf");
  if (files.empty()) GTEST_SKIP() << "no golden data in " << golden_dir();
  TempDir dir;
  for (const auto& path : files) {
    const auto m = ImportanceMatrix::read(path.string());
    ASSERT_TRUE(m) << m.error().message;
    ASSERT_TRUE(m->write(dir.file("again.gguf")));
    EXPECT_EQ(read_file(dir.file("again.gguf")), read_file(path)) << path;
  }
}

TEST(GoldenImportanceMatrix, MergingBothFormsGivesTheRecordedMerger) {
  const Json index = golden_index();
  if (index.is_null()) GTEST_SKIP() << "no golden data in " << golden_dir();
  for (const Json& file : index["files"]) {
    if (!file.contains("from")) continue;
    const auto wanted = ImportanceMatrix::read((golden_dir() / "imatrix" / file["file"].get<std::string>()).string());
    ImportanceMatrix merged;
    for (const std::string from : file["from"]) {
      const auto part = ImportanceMatrix::read((golden_dir() / "imatrix" / from).string());
      ASSERT_TRUE(part);
      ASSERT_TRUE(merged.merge(*part));
    }
    EXPECT_EQ(merged.n_chunks, wanted->n_chunks);
    EXPECT_EQ(merged.datasets, wanted->datasets);
    EXPECT_EQ(merged.chunk_size, wanted->chunk_size);
    ASSERT_EQ(merged.entries().size(), wanted->entries().size());
    for (const auto& entry : merged.entries()) {
      const auto* other = wanted->find(entry.name);
      EXPECT_EQ(entry.counts, other->counts);
      for (size_t i = 0; i < entry.sums.size(); ++i) EXPECT_NEAR(entry.sums[i], other->sums[i], 2e-6f * other->sums[i]);
    }
  }
}

}  // namespace
}  // namespace hearth::testing
