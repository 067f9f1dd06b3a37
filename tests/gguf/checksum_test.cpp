// Checksums of tensors: written with the data, found again, damage named, copies into other files recognized.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "lib/base/xxh64.h"
#include "support/golden.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

std::vector<std::byte> bytes_from(size_t n, int seed) {
  std::vector<std::byte> bytes(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i * 31 + static_cast<size_t>(seed));
  return bytes;
}

/// Two tensors, written in pieces of `step` bytes.
std::string write_file(const TempDir& dir, size_t step) {
  auto writer = GgufWriter::create(dir.file("f.gguf"));
  EXPECT_TRUE(writer->add_string("general.architecture", "test"));
  EXPECT_TRUE(writer->add_checksums());
  EXPECT_TRUE(writer->add_uint32("test.later", 3));
  EXPECT_TRUE(writer->add_tensor("first", TensorType::kF32, {5}));
  EXPECT_TRUE(writer->add_tensor("second", TensorType::kF16, {3, 7}));
  std::vector<std::byte> data = bytes_from(20, 1);
  const auto second = bytes_from(42, 2);
  data.insert(data.end(), second.begin(), second.end());
  for (size_t at = 0; at < data.size(); at += step) {
    EXPECT_TRUE(writer->write_data(std::span(data).subspan(at, std::min(step, data.size() - at))));
  }
  EXPECT_TRUE(writer->finish());
  return dir.file("f.gguf");
}

TEST(Checksums, AreThoseOfTheBytes) {
  for (const size_t step : {size_t{1}, size_t{13}, size_t{100}}) {
    TempDir dir;
    const auto file = GgufFile::open(write_file(dir, step));
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->checksum(0), xxh64(bytes_from(20, 1)));
    EXPECT_EQ(file->checksum(1), xxh64(bytes_from(42, 2)));
    EXPECT_EQ(file->checksum(2), std::nullopt);
    EXPECT_TRUE(file->check_tensor(0));
    EXPECT_TRUE(file->check_tensor(1));
    EXPECT_FALSE(file->check_tensor(2));
    EXPECT_EQ(*file->get_int("test.later"), 3);
  }
}

TEST(Checksums, EveryFlippedBitOfDataIsFoundAndItsTensorNamed) {
  TempDir dir;
  const std::string path = write_file(dir, 100);
  const std::string whole = read_file(path);
  const auto sound = GgufFile::open(path);
  for (size_t t = 0; t < 2; ++t) {
    const GgufTensor& tensor = sound->tensors()[t];
    for (uint64_t i = 0; i < tensor.size_bytes; ++i) {
      std::string damaged = whole;
      damaged[static_cast<size_t>(tensor.file_offset + i)] ^= 16;
      const auto file = GgufFile::from_memory(std::as_bytes(std::span(damaged)));
      ASSERT_TRUE(file);
      const Status checked = file->check_tensor(t);
      ASSERT_FALSE(checked);
      EXPECT_EQ(checked.error().code, ErrorCode::kFormat);
      EXPECT_NE(checked.error().message.find(std::string(tensor.name)), std::string::npos);
      EXPECT_TRUE(file->check_tensor(1 - t));
    }
  }
}

/// As tools do that change tensors and keep the metadata.
TEST(Checksums, OfOtherTensorsAreNoChecksums) {
  TempDir dir;
  const auto file = GgufFile::open(write_file(dir, 100));
  auto writer = GgufWriter::create(dir.file("other.gguf"));
  for (const GgufEntry& entry : file->entries()) ASSERT_TRUE(writer->add_value(entry.key, entry.value));
  EXPECT_FALSE(writer->add_checksums()) << "the key is there";
  ASSERT_TRUE(writer->add_tensor("first", TensorType::kF32, {5}));
  ASSERT_TRUE(writer->add_tensor("second", TensorType::kF32, {3, 7}));
  ASSERT_TRUE(writer->write_data(bytes_from(20 + 84, 1)));
  ASSERT_TRUE(writer->finish());
  const auto other = GgufFile::open(dir.file("other.gguf"));
  ASSERT_TRUE(other);
  EXPECT_EQ(other->checksum(0), std::nullopt);
  EXPECT_EQ(other->check_tensor(0).error().code, ErrorCode::kNotFound);
}

TEST(Checksums, FilesWithoutTensorsAndFilesWithoutChecksums) {
  TempDir dir;
  auto writer = GgufWriter::create(dir.file("empty.gguf"));
  ASSERT_TRUE(writer->add_checksums());
  ASSERT_TRUE(writer->finish());
  ASSERT_TRUE(GgufFile::open(dir.file("empty.gguf")));
  auto plain = GgufWriter::create(dir.file("plain.gguf"));
  ASSERT_TRUE(plain->add_tensor("t", TensorType::kF32, {1}));
  ASSERT_TRUE(plain->write_data(bytes_from(4, 0)));
  ASSERT_TRUE(plain->finish());
  EXPECT_EQ(GgufFile::open(dir.file("plain.gguf"))->checksum(0), std::nullopt);
}

}  // namespace
}  // namespace hearth::testing
