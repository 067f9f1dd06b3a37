// Files that appear only when complete, and failures of the disk.
#include "lib/io/atomic_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/file_size_limit.h"
#include "support/golden.h"
#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::FileSizeLimit;
using testing::read_file;
using testing::TempDir;

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(AtomicFile, AppearsAtCommit) {
  const TempDir dir;
  const std::string path = dir.file("out");
  auto file = AtomicFile::create(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->write(as_bytes("hello ")));
  EXPECT_TRUE(file->write(as_bytes("world")));
  EXPECT_EQ(file->offset(), 11u);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(file->commit());
  EXPECT_EQ(read_file(path), "hello world");
  EXPECT_EQ(dir.count(), 1u);
  EXPECT_FALSE(file->write(as_bytes("more")));
  EXPECT_FALSE(file->commit());
  EXPECT_EQ(read_file(path), "hello world");
}

TEST(AtomicFile, KeepsTheOrderOfSmallAndLargePieces) {
  const TempDir dir;
  std::string expected;
  auto file = AtomicFile::create(dir.file("out"));
  ASSERT_TRUE(file);
  constexpr size_t kPiece = 2 << 20;  // written at once
  for (const size_t size : {size_t{3}, 3 * kPiece, size_t{1}, kPiece - 4, size_t{4}, kPiece, kPiece - 1, size_t{2},
                            size_t{0}, size_t{700000}, size_t{5}}) {
    const std::string piece(size, static_cast<char>('a' + expected.size() % 26));
    ASSERT_TRUE(file->write(as_bytes(piece)));
    expected += piece;
    EXPECT_EQ(file->offset(), expected.size());
    if (size != 1) continue;
    ASSERT_TRUE(file->overwrite(kPiece - 1, as_bytes("over")));
    expected.replace(kPiece - 1, 4, "over");
  }
  ASSERT_TRUE(file->commit());
  EXPECT_TRUE(read_file(dir.file("out")) == expected);
}

TEST(AtomicFile, WithoutCommitNothingChanges) {
  const TempDir dir;
  const std::string path = dir.write("out", "older");
  {
    auto file = AtomicFile::create(path);
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->write(as_bytes(std::string(1 << 20, 'x'))));
  }
  EXPECT_EQ(read_file(path), "older");
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFile, ReplacesTheFileBehindALink) {
  const TempDir dir;
  const std::string path = dir.write("real", "older");
  std::error_code no_links;  // Windows keeps them to some users
  std::filesystem::create_symlink("real", dir.path() / "link", no_links);
  if (no_links) GTEST_SKIP() << "no symbolic links here: " << no_links.message();
  auto file = AtomicFile::create(dir.file("link"));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write(as_bytes("newer")));
  EXPECT_TRUE(file->commit());
  EXPECT_EQ(read_file(path), "newer");
  EXPECT_TRUE(std::filesystem::is_symlink(dir.path() / "link"));
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMix) {
  const TempDir dir;
  auto a = AtomicFile::create(dir.file("out"));
  auto b = AtomicFile::create(dir.file("out"));
  ASSERT_TRUE(a);
  ASSERT_TRUE(b);
  EXPECT_TRUE(a->write(as_bytes("aaa")));
  EXPECT_TRUE(b->write(as_bytes("b")));
  EXPECT_TRUE(a->commit());
  EXPECT_TRUE(b->commit());
  EXPECT_EQ(read_file(dir.file("out")), "b");
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFile, FullDiskIsAnErrorThatNamesThePath) {
  if (!FileSizeLimit::kIsThere) GTEST_SKIP() << "the system has no bound on the size of files";
  const TempDir dir;
  const std::string path = dir.write("out", "older");
  const FileSizeLimit limit(100000);
  auto file = AtomicFile::create(path);
  ASSERT_TRUE(file);
  const Status written = file->write(as_bytes(std::string(3 << 20, 'x')));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kIo);
  EXPECT_EQ(written.error().message, path + ": cannot write: File too large");
  EXPECT_EQ(file->commit().error().message, written.error().message) << "an error must stick";
  EXPECT_EQ(read_file(path), "older");
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFile, FullDiskAtCommit) {
  if (!FileSizeLimit::kIsThere) GTEST_SKIP() << "the system has no bound on the size of files";
  const TempDir dir;
  const FileSizeLimit limit(100);
  auto file = AtomicFile::create(dir.file("out"));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write(as_bytes(std::string(1000, 'x')))) << "is still in the buffer";
  const Status committed = file->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kIo);
  EXPECT_EQ(dir.count(), 0u);
}

TEST(AtomicFile, RefusesTargetsThatCannotBeFiles) {
  const TempDir dir;
  const auto expect = [](const std::string& path, ErrorCode code) {
    const auto file = AtomicFile::create(path);
    ASSERT_FALSE(file) << path;
    EXPECT_EQ(file.error().code, code) << file.error().message;
    if (!path.empty()) {
      EXPECT_NE(file.error().message.find(path), std::string::npos) << file.error().message;
    }
  };
  expect(dir.path().string(), ErrorCode::kIo);
#if !defined(_WIN32)
  expect("/dev/null", ErrorCode::kIo);
#endif
  expect(dir.file("no/such/folder"), ErrorCode::kNotFound);
  expect("", ErrorCode::kInvalidArgument);
}

TEST(AtomicFile, MovesWithoutLosingData) {
  const TempDir dir;
  auto file = AtomicFile::create(dir.file("out"));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write(as_bytes("one ")));
  AtomicFile moved = *std::move(file);
  EXPECT_TRUE(moved.write(as_bytes("two")));
  auto other = AtomicFile::create(dir.file("other"));
  ASSERT_TRUE(other);
  *other = std::move(moved);  // the temporary of `other` goes
  EXPECT_TRUE(other->commit());
  EXPECT_EQ(read_file(dir.file("out")), "one two");
  EXPECT_EQ(dir.count(), 1u);
}

}  // namespace
}  // namespace hearth
