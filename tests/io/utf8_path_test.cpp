// Paths are UTF-8 on every system, whatever its own encoding is.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "lib/io/atomic_file.h"
#include "lib/io/file_bytes.h"
#include "lib/io/file_reader.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Utf8Path, NamesAFileThatIsWrittenReplacedMappedAndRead) {
  const TempDir dir;
  const std::string path = dir.path().string() + "/gr\xc3\xb6\xc3\x9f\x65-\xe6\xa8\xa1\xe5\x9e\x8b.gguf";
  for (const std::string text : {"the first text", "another text"}) {
    Result<AtomicFile> file = AtomicFile::create(path);
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_TRUE(file->write(std::as_bytes(std::span(text))));
    ASSERT_TRUE(file->overwrite(0, std::as_bytes(std::span(text.data(), 3))));
    ASSERT_TRUE(file->write(std::as_bytes(std::span("!", 1))));
    const Status done = file->commit();
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(dir.count(), 1u);
    for (const bool use_mmap : {true, false}) {
      const Result<FileBytes> bytes = FileBytes::open(path, use_mmap);
      ASSERT_TRUE(bytes) << bytes.error().message;
      EXPECT_EQ(bytes->is_mapped(), use_mmap);
      EXPECT_EQ(text_of(bytes->bytes()), text + "!");
    }
    const Result<FileReader> reader = FileReader::open(path);
    ASSERT_TRUE(reader) << reader.error().message;
    std::byte part[4];
    ASSERT_TRUE(reader->read_at(reader->size() - 5, part));
    EXPECT_EQ(text_of(part), "text");
    EXPECT_TRUE(reader->check_unchanged());
  }
}

TEST(Utf8Path, ThatNamesNothingIsNotFound) {
  const TempDir dir;
  const Result<FileBytes> bytes = FileBytes::open(dir.path().string() + "/\xe6\xa8\xa1", true);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace hearth::testing
