// A valid file cut or changed at every byte: an error or a sound file, never a crash.
#include <gtest/gtest.h>

#include <vector>

#include "gguf/exercise.h"
#include "gguf/gguf_builder.h"

namespace hearth {
namespace {

using testing::every_type_file;
using testing::exercise;

/// Opens a heap copy of exactly that size, so that a sanitizer sees each read beyond it.
bool opens(std::span<const std::byte> bytes, bool metadata_only = false) {
  const std::vector<std::byte> exact(bytes.begin(), bytes.end());
  const auto file = GgufFile::from_memory(exact, {.metadata_only = metadata_only});
  if (file) exercise(*file);
  EXPECT_EQ(file.ok(), file.error().message.empty());
  return file.ok();
}

TEST(DamagedGguf, CutAtEveryByteIsAnError) {
  const auto whole = every_type_file();
  ASSERT_TRUE(opens(whole.bytes()));
  for (size_t size = 0; size < whole.bytes().size(); ++size) {
    EXPECT_FALSE(opens(whole.bytes().first(size))) << "cut at " << size;
  }
}

TEST(DamagedGguf, MetadataOnlyEndsWithTheTensorInfos) {
  const auto whole = every_type_file();
  size_t first_good = 0;
  while (!opens(whole.bytes().first(first_good), true)) ++first_good;
  for (size_t size = first_good; size < whole.bytes().size(); ++size) {
    EXPECT_TRUE(opens(whole.bytes().first(size), true)) << "cut at " << size;
  }
  const auto file = GgufFile::from_memory(whole.bytes());
  EXPECT_LE(first_good, file->tensors().front().file_offset);
  EXPECT_GT(first_good + 32, file->tensors().front().file_offset);
}

TEST(DamagedGguf, AnyByteChangedNeverCrashes) {
  const auto whole = every_type_file();
  std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
  size_t n_opened = 0;
  for (std::byte& byte : bytes) {
    const std::byte before = byte;
    for (const int change : {0x01, 0x80, 0xff, 0x10, 0x03}) {
      byte = before ^ static_cast<std::byte>(change);
      n_opened += opens(bytes);
      n_opened += opens(bytes, true);
    }
    byte = before;
  }
  EXPECT_GT(n_opened, 0u) << "changes of tensor data do no harm";
}

TEST(DamagedGguf, NestingUpToTheLimitOpens) {
  testing::Bytes b;
  b.header(0, 1).key("deep", GgufType::kArray);
  for (int i = 1; i < 8; ++i) b.type(GgufType::kArray).u64(1);
  b.type(GgufType::kUint8).u64(1).u8(9);
  EXPECT_TRUE(opens(b.bytes()));
}

}  // namespace
}  // namespace hearth
