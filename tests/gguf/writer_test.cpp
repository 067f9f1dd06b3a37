// Files written by GgufWriter, read back.
#include <gtest/gtest.h>

#include <cstring>

#include "gguf/gguf_builder.h"
#include "hearth/gguf.h"
#include "support/file_size_limit.h"
#include "support/golden.h"
#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::every_type_file;
using testing::TempDir;

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// Copies metadata and tensors of `from` into a new file.
Status copy_file(const GgufFile& from, const std::string& path, size_t chunk) {
  auto writer = GgufWriter::create(path, static_cast<uint32_t>(from.alignment()));
  if (!writer) return writer.error();
  for (const GgufEntry& entry : from.entries()) {
    if (Status s = writer->add_value(entry.key, entry.value); !s) return s;
  }
  for (const GgufTensor& tensor : from.tensors()) {
    if (Status s = writer->add_tensor(tensor.name, tensor.type, {tensor.dims.data(), tensor.n_dims}); !s) return s;
  }
  for (const GgufTensor& tensor : from.tensors()) {
    for (size_t done = 0; done < tensor.size_bytes; done += chunk) {
      const size_t n = std::min<size_t>(chunk, tensor.size_bytes - done);
      if (Status s = writer->write_data({tensor.data + done, n}); !s) return s;
    }
  }
  return writer->finish();
}

TEST(GgufWriter, RoundTripsEveryTypeByteForByte) {
  const TempDir dir;
  const auto source = every_type_file();
  const auto file = GgufFile::from_memory(source.bytes());
  ASSERT_TRUE(file);
  for (const size_t chunk : {1, 7, 1000}) {
    const std::string path = dir.file("copy.gguf");
    const Status copied = copy_file(*file, path, chunk);
    ASSERT_TRUE(copied) << copied.error().message;
    // The padding between the tensors is not zero in the source, so compare what is read, then the sizes.
    const auto copy = GgufFile::open(path);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ(copy->file_bytes(), source.bytes().size());
    for (size_t i = 0; i < file->entries().size(); ++i) {
      const GgufEntry& a = file->entries()[i];
      const GgufEntry& b = copy->entries()[i];
      EXPECT_EQ(a.key, b.key);
      EXPECT_EQ(a.value.type(), b.value.type());
      EXPECT_EQ(a.value.element_type(), b.value.element_type());
      EXPECT_EQ(a.value.size(), b.value.size());
      EXPECT_TRUE(std::ranges::equal(a.value.bytes(), b.value.bytes())) << a.key;
    }
    for (const GgufTensor& tensor : file->tensors()) {
      const GgufTensor* twin = copy->tensor(tensor.name);
      ASSERT_NE(twin, nullptr);
      EXPECT_EQ(twin->file_offset, tensor.file_offset);
      EXPECT_EQ(std::memcmp(twin->data, tensor.data, tensor.size_bytes), 0) << tensor.name;
    }
  }
}

TEST(GgufWriter, WritesEveryKindOfValue) {
  const TempDir dir;
  const std::string path = dir.file("out.gguf");
  auto writer = GgufWriter::create(path, 64);
  ASSERT_TRUE(writer) << writer.error().message;
  const std::vector<std::string_view> words = {"a", "", "ccc"};
  const std::vector<int32_t> ints = {-1, 2};
  const std::vector<uint32_t> counts = {4000000000u};
  const std::vector<float> floats = {0.5f};
  const bool flags[] = {true, false};
  EXPECT_TRUE(writer->add_uint32("k.u32", 7));
  EXPECT_TRUE(writer->add_uint64("k.u64", 1ull << 40));
  EXPECT_TRUE(writer->add_int32("k.i32", -7));
  EXPECT_TRUE(writer->add_float32("k.f32", 0.25f));
  EXPECT_TRUE(writer->add_bool("k.bool", true));
  EXPECT_TRUE(writer->add_string("k.string", "text"));
  EXPECT_TRUE(writer->add_string_array("k.strings", words));
  EXPECT_TRUE(writer->add_int32_array("k.ints", ints));
  EXPECT_TRUE(writer->add_uint32_array("k.counts", counts));
  EXPECT_TRUE(writer->add_float32_array("k.floats", floats));
  EXPECT_TRUE(writer->add_bool_array("k.flags", flags));
  EXPECT_TRUE(writer->add_tensor("t", TensorType::kF32, {3}));
  EXPECT_TRUE(writer->write_data(as_bytes("0123456789ab")));
  const Status finished = writer->finish();
  ASSERT_TRUE(finished) << finished.error().message;

  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->alignment(), 64u);
  EXPECT_EQ(file->version(), 3u);
  EXPECT_EQ(*file->get_int("k.u32"), 7);
  EXPECT_EQ(*file->get_int("k.u64"), int64_t{1} << 40);
  EXPECT_EQ(*file->get_int("k.i32"), -7);
  EXPECT_EQ(*file->get_float("k.f32"), 0.25);
  EXPECT_TRUE(*file->get_bool("k.bool"));
  EXPECT_EQ(*file->get_string("k.string"), "text");
  EXPECT_EQ(*file->find("k.strings")->as_string_array(), words);
  EXPECT_EQ(*file->find("k.ints")->as_int_array(), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(*file->find("k.counts")->as_int_array(), (std::vector<int64_t>{4000000000}));
  EXPECT_EQ(*file->find("k.floats")->as_float_array(), floats);
  EXPECT_EQ(file->find("k.flags")->element_type(), GgufType::kBool);
  EXPECT_EQ(file->tensor("t")->file_offset % 64, 0u);
  EXPECT_EQ(std::memcmp(file->tensor("t")->data, "0123456789ab", 12), 0);
  EXPECT_EQ(file->file_bytes() % 64, 0u);
}

TEST(GgufWriter, FileAppearsOnlyWhenFinished) {
  const TempDir dir;
  const std::string path = dir.write("out.gguf", "older");
  {
    auto writer = GgufWriter::create(path);
    ASSERT_TRUE(writer);
    EXPECT_TRUE(writer->add_tensor("t", TensorType::kF32, {2}));
    EXPECT_TRUE(writer->write_data(as_bytes("1234")));
    const Status early = writer->finish();
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(early.error().message.find("'t' lacks 4 bytes"), std::string::npos) << early.error().message;
    EXPECT_EQ(testing::read_file(path), "older");
  }
  EXPECT_EQ(testing::read_file(path), "older");
  EXPECT_EQ(dir.count(), 1u) << "the temporary file was left";
}

TEST(GgufWriter, FullDiskIsAnErrorThatSticks) {
  if (!testing::FileSizeLimit::kIsThere) GTEST_SKIP() << "the system has no bound on the size of files";
  const TempDir dir;
  const std::string path = dir.file("out.gguf");
  const testing::FileSizeLimit limit(100000);
  auto writer = GgufWriter::create(path);
  ASSERT_TRUE(writer);
  EXPECT_TRUE(writer->add_tensor("t", TensorType::kF32, {1 << 20}));
  const Status written = writer->write_data(as_bytes(std::string(3 << 20, 'x')));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kIo);
  EXPECT_EQ(written.error().message, path + ": cannot write: File too large");
  EXPECT_EQ(writer->finish().error().message, written.error().message);
  EXPECT_EQ(dir.count(), 0u);
}

TEST(GgufWriter, RefusesWhatTheReaderWouldRefuse) {
  const TempDir dir;
  EXPECT_FALSE(GgufWriter::create(dir.file("a.gguf"), 0));
  EXPECT_FALSE(GgufWriter::create(dir.file("a.gguf"), 48));
  EXPECT_FALSE(GgufWriter::create(dir.file("a.gguf"), 4));
  auto writer = GgufWriter::create(dir.file("a.gguf"));
  ASSERT_TRUE(writer);
  EXPECT_TRUE(writer->add_uint32("k", 1));
  EXPECT_FALSE(writer->add_uint32("k", 2)) << "duplicate key";
  EXPECT_FALSE(writer->add_uint32("", 2));
  EXPECT_FALSE(writer->add_uint32(std::string_view("a\0b", 3), 2));
  EXPECT_FALSE(writer->add_uint32(std::string(70000, 'k'), 2));
  EXPECT_FALSE(writer->add_uint32("general.alignment", 64));
  EXPECT_TRUE(writer->add_uint32("general.alignment", 32));
  EXPECT_FALSE(writer->add_value("empty", GgufValue()));
  EXPECT_TRUE(writer->add_tensor("t", TensorType::kQ8_0, {32}));
  EXPECT_FALSE(writer->add_tensor("t", TensorType::kQ8_0, {32})) << "duplicate tensor";
  EXPECT_FALSE(writer->add_tensor("", TensorType::kF32, {1}));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kQ8_0, {33}));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kF32, {0}));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kF32, {-1}));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kF32, {1, 1, 1, 1, 1}));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kF32, std::span<const int64_t>()));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kF32, {int64_t{1} << 40, int64_t{1} << 40}));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kF64, {int64_t{1} << 60}));
  EXPECT_FALSE(writer->add_tensor("u", static_cast<TensorType>(99), {1}));
  EXPECT_FALSE(writer->add_tensor("u", TensorType::kF64, {(int64_t{1} << 60) - 1})) << "the file's size overflows";
  EXPECT_FALSE(writer->add_tensor(std::string(300, 'n'), TensorType::kF32, {1}));
  EXPECT_TRUE(writer->write_data(as_bytes(std::string(34, 'x'))));
  EXPECT_FALSE(writer->add_uint32("late", 1));
  EXPECT_FALSE(writer->add_tensor("late", TensorType::kF32, {1}));
  EXPECT_FALSE(writer->write_data(as_bytes("x"))) << "beyond the declared data";
  const Status finished = writer->finish();
  ASSERT_TRUE(finished) << finished.error().message;
  EXPECT_FALSE(writer->finish());
  EXPECT_FALSE(writer->write_data(as_bytes("x")));
  const auto file = GgufFile::open(dir.file("a.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->entries().size(), 2u);
  EXPECT_EQ(file->tensors().size(), 1u);
}

TEST(GgufWriter, WritesAFileWithoutTensors) {
  const TempDir dir;
  auto writer = GgufWriter::create(dir.file("v.gguf"));
  ASSERT_TRUE(writer);
  EXPECT_TRUE(writer->add_string("general.architecture", "llama"));
  EXPECT_TRUE(writer->finish());
  const auto file = GgufFile::open(dir.file("v.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file->get_string("general.architecture"), "llama");
}

TEST(GoldenGgufWriter, CopiesOfModelsAreIdentical) {
  const auto files = testing::golden_files("models", ".gguf");
  if (files.empty()) GTEST_SKIP() << "no golden files in " << testing::golden_dir();
  const TempDir dir;
  for (const auto& source : files) {
    SCOPED_TRACE(source.filename().string());
    const auto file = GgufFile::open(source.string());
    ASSERT_TRUE(file) << file.error().message;
    const Status copied = copy_file(*file, dir.file("copy.gguf"), 65536);
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_TRUE(testing::read_file(dir.file("copy.gguf")) == testing::read_file(source));
  }
}

}  // namespace
}  // namespace hearth
