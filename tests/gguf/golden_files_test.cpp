// Opens every golden file, mapped, read and from memory, and checks that the three views agree.
#include <algorithm>
#include <cstring>

#include "hearth/gguf.h"
#include "support/golden.h"

namespace hearth {
namespace {

using testing::golden_files;

std::vector<std::filesystem::path> all_files() {
  std::vector<std::filesystem::path> files = golden_files("models", ".gguf");
  for (const auto& path : golden_files("vocab", ".gguf")) files.push_back(path);
  return files;
}

void expect_same(const GgufFile& a, const GgufFile& b) {
  ASSERT_EQ(a.entries().size(), b.entries().size());
  for (size_t i = 0; i < a.entries().size(); ++i) {
    EXPECT_EQ(a.entries()[i].key, b.entries()[i].key);
    const auto left = a.entries()[i].value.bytes();
    const auto right = b.entries()[i].value.bytes();
    EXPECT_TRUE(std::equal(left.begin(), left.end(), right.begin(), right.end())) << a.entries()[i].key;
  }
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (size_t i = 0; i < a.tensors().size(); ++i) {
    const GgufTensor& left = a.tensors()[i];
    const GgufTensor& right = b.tensors()[i];
    EXPECT_EQ(left.name, right.name);
    EXPECT_EQ(left.dims, right.dims);
    EXPECT_EQ(left.file_offset, right.file_offset);
    ASSERT_EQ(left.size_bytes, right.size_bytes);
    EXPECT_EQ(std::memcmp(left.data, right.data, left.size_bytes), 0) << left.name;
  }
}

TEST(GoldenGgufFiles, OpenTheSameByEveryWay) {
  const auto files = all_files();
  if (files.empty()) GTEST_SKIP() << "no golden files in " << testing::golden_dir();
  for (const auto& path : files) {
    SCOPED_TRACE(path.filename().string());
    const auto mapped = GgufFile::open(path.string());
    ASSERT_TRUE(mapped) << mapped.error().message;
    EXPECT_TRUE(mapped->is_mapped());
    EXPECT_TRUE(mapped->get_string("general.architecture"));
    const auto read = GgufFile::open(path.string(), {.use_mmap = false});
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_FALSE(read->is_mapped());
    expect_same(*mapped, *read);
    const std::string content = testing::read_file(path);
    const auto memory = GgufFile::from_memory(std::as_bytes(std::span(content)));
    ASSERT_TRUE(memory) << memory.error().message;
    expect_same(*mapped, *memory);
    EXPECT_EQ(memory->file_bytes(), content.size());
  }
}

TEST(GoldenGgufFiles, VocabulariesHaveTokensAndNoTensors) {
  const auto files = golden_files("vocab", ".gguf");
  if (files.empty()) GTEST_SKIP() << "no golden files in " << testing::golden_dir();
  for (const auto& path : files) {
    SCOPED_TRACE(path.filename().string());
    const auto file = GgufFile::open(path.string());
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_TRUE(file->tensors().empty());
    const GgufValue* tokens = file->find("tokenizer.ggml.tokens");
    ASSERT_NE(tokens, nullptr);
    const auto texts = tokens->as_string_array();
    ASSERT_TRUE(texts) << texts.error().message;
    EXPECT_EQ(texts->size(), tokens->size());
    EXPECT_GT(texts->size(), 1000u);
  }
}

}  // namespace
}  // namespace hearth
