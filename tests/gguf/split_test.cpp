// Sets of split files: opened through the first, checked against each other.
#include <gtest/gtest.h>

#include "gguf/gguf_builder.h"
#include "hearth/gguf.h"
#include "lib/gguf/shard_name.h"
#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::Bytes;
using testing::TempDir;

struct Shard {
  uint16_t number = 0;
  uint16_t count = 3;
  int32_t n_tensors = 3;
  std::string tensor;
  uint32_t alignment = 32;
};

std::string shard_bytes(const Shard& s) {
  Bytes b;
  b.header(1, 5).key("general.name", GgufType::kString).string("shard" + std::to_string(s.number));
  b.key("general.alignment", GgufType::kUint32).u32(s.alignment);
  b.key("split.no", GgufType::kUint16).raw(s.number);
  b.key("split.count", GgufType::kUint16).raw(s.count);
  b.key("split.tensors.count", GgufType::kInt32).raw(s.n_tensors);
  b.tensor(s.tensor, {8}, 0, 0).align(s.alignment);
  for (int i = 0; i < 32; ++i) b.u8(static_cast<uint8_t>(s.number * 32 + i));
  return b.text();
}

/// Writes a sound set of three and returns the path of the first.
std::string write_set(const TempDir& dir) {
  dir.write("m-00001-of-00003.gguf", shard_bytes({.number = 0, .tensor = "a"}));
  dir.write("m-00002-of-00003.gguf", shard_bytes({.number = 1, .tensor = "b", .alignment = 64}));
  dir.write("m-00003-of-00003.gguf", shard_bytes({.number = 2, .tensor = "c"}));
  return dir.file("m-00001-of-00003.gguf");
}

void expect_error(const std::string& path, ErrorCode code, const std::string& text) {
  const auto file = GgufFile::open(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, code) << file.error().message;
  EXPECT_NE(file.error().message.find(text), std::string::npos) << file.error().message;
}

TEST(GgufSplit, OpensThroughTheFirst) {
  const TempDir dir;
  const std::string path = write_set(dir);
  for (const bool use_mmap : {true, false}) {
    const auto file = GgufFile::open(path, {.use_mmap = use_mmap});
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->is_mapped(), use_mmap);
    ASSERT_EQ(file->shard_paths().size(), 3u);
    EXPECT_EQ(file->shard_paths()[2], dir.file("m-00003-of-00003.gguf"));
    EXPECT_EQ(*file->get_string("general.name"), "shard0");
    ASSERT_EQ(file->tensors().size(), 3u);
    for (uint32_t i = 0; i < 3; ++i) {
      const GgufTensor* tensor = file->tensor(std::string(1, static_cast<char>('a' + i)));
      ASSERT_NE(tensor, nullptr);
      EXPECT_EQ(tensor->shard, i);
      EXPECT_EQ(static_cast<uint32_t>(tensor->data[0]), i * 32);
    }
    EXPECT_EQ(file->alignment(), 32u);
    uint64_t bytes = 0;
    for (const std::string& shard : file->shard_paths()) bytes += std::filesystem::file_size(shard);
    EXPECT_EQ(file->file_bytes(), bytes);
  }
}

TEST(GgufSplit, MetadataOnlyListsAllTensors) {
  const TempDir dir;
  const auto file = GgufFile::open(write_set(dir), {.metadata_only = true});
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensor("c")->data, nullptr);
}

TEST(GgufSplit, MissingFileIsNamed) {
  const TempDir dir;
  const std::string path = write_set(dir);
  std::filesystem::remove(dir.file("m-00002-of-00003.gguf"));
  expect_error(path, ErrorCode::kNotFound, "m-00002-of-00003.gguf");
}

TEST(GgufSplit, DamagedFileIsNamed) {
  const TempDir dir;
  const std::string path = write_set(dir);
  dir.write("m-00003-of-00003.gguf", "GGUF");
  expect_error(path, ErrorCode::kFormat, "m-00003-of-00003.gguf: the file ends before the version");
}

TEST(GgufSplit, OtherThanTheFirstIsRefused) {
  const TempDir dir;
  write_set(dir);
  expect_error(dir.file("m-00002-of-00003.gguf"), ErrorCode::kInvalidArgument,
               "file 2 of 3 split files; open the first");
}

TEST(GgufSplit, NumbersMustAgree) {
  const TempDir dir;
  const std::string path = write_set(dir);
  dir.write("m-00002-of-00003.gguf", shard_bytes({.number = 2, .tensor = "b"}));
  expect_error(path, ErrorCode::kFormat, "m-00002-of-00003.gguf: key 'split.no' is 2, expected 1");
  dir.write("m-00002-of-00003.gguf", shard_bytes({.number = 1, .count = 4, .tensor = "b"}));
  expect_error(path, ErrorCode::kFormat, "m-00002-of-00003.gguf: key 'split.count' is 4, in the first file 3");
}

TEST(GgufSplit, TensorCountMustAgree) {
  const TempDir dir;
  const std::string path = write_set(dir);
  dir.write("m-00001-of-00003.gguf", shard_bytes({.number = 0, .n_tensors = 4, .tensor = "a"}));
  expect_error(path, ErrorCode::kFormat, "'split.tensors.count' is 4, but the files hold 3 tensors");
}

TEST(GgufSplit, TensorInTwoFilesIsRefused) {
  const TempDir dir;
  const std::string path = write_set(dir);
  dir.write("m-00003-of-00003.gguf", shard_bytes({.number = 2, .tensor = "a"}));
  expect_error(path, ErrorCode::kFormat, "m-00003-of-00003.gguf: tensor 'a' occurs twice");
}

TEST(GgufSplit, NameMustAgreeWithTheMetadata) {
  const TempDir dir;
  write_set(dir);
  std::filesystem::rename(dir.file("m-00001-of-00003.gguf"), dir.file("renamed.gguf"));
  expect_error(dir.file("renamed.gguf"), ErrorCode::kFormat, "the name says 1 split files");
}

TEST(GgufSplit, WholeFilesMayHaveAnyName) {
  const TempDir dir;
  EXPECT_TRUE(GgufFile::open(dir.write("x-00001-of-00003.gguf", Bytes().header(0, 0).text())));
  EXPECT_TRUE(GgufFile::open(dir.write("x-00002-of-00003.gguf", Bytes().header(0, 0).text())));
  for (const uint16_t count : {uint16_t{0}, uint16_t{1}}) {
    const std::string bytes = Bytes().header(0, 1).key("split.count", GgufType::kUint16).raw(count).text();
    EXPECT_TRUE(GgufFile::open(dir.write("y-00001-of-00002.gguf", bytes))) << count;
  }
}

TEST(GgufSplit, OneOfOneIsAnOrdinaryFile) {
  const TempDir dir;
  const std::string path = dir.write("x-00001-of-00001.gguf", Bytes().header(0, 0).text());
  EXPECT_TRUE(GgufFile::open(path));
}

TEST(ShardName, ParsesAndMakes) {
  const auto name = parse_shard_name("dir/model-v2-00002-of-00013.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->prefix, "dir/model-v2");
  EXPECT_EQ(name->number, 2u);
  EXPECT_EQ(name->count, 13u);
  EXPECT_EQ(make_shard_name(name->prefix, 2, 13), "dir/model-v2-00002-of-00013.gguf");
  for (const char* other :
       {"m.gguf", "-00001-of-00002.gguf", "m-0001-of-0002.gguf", "m-00003-of-00002.gguf", "m-00000-of-00002.gguf",
        "m-0000x-of-00002.gguf", "m-00001_of-00002.gguf", "", "m-00001-of-00002.ggu", "m_00001-of-00002.gguf"}) {
    EXPECT_FALSE(parse_shard_name(other)) << other;
  }
}

}  // namespace
}  // namespace hearth
