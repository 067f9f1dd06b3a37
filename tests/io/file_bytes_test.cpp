// Mapped, read and borrowed files.
#include "lib/io/file_bytes.h"

#include <gtest/gtest.h>
#if defined(__linux__)
#include <sys/mman.h>
#include <sys/resource.h>
#endif
#include <sys/stat.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::TempDir;

std::string text_of(const FileBytes& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(FileBytes, MappedAndReadAreEqual) {
  const TempDir dir;
  std::string content(100001, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31);
  const std::string path = dir.write("f", content);
  const auto mapped = FileBytes::open(path, true);
  const auto read = FileBytes::open(path, false);
  ASSERT_TRUE(mapped) << mapped.error().message;
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(mapped->is_mapped());
  EXPECT_FALSE(read->is_mapped());
  EXPECT_TRUE(text_of(*mapped) == content);
  EXPECT_TRUE(text_of(*read) == content);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(read->bytes().data()) % 64, 0u);
}

TEST(FileBytes, EmptyFile) {
  const TempDir dir;
  const std::string path = dir.write("empty", "");
  for (const bool use_mmap : {true, false}) {
    const auto file = FileBytes::open(path, use_mmap);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->size(), 0u);
  }
}

TEST(FileBytes, ErrorsNameThePath) {
  const TempDir dir;
#if !defined(_WIN32)
  const std::string fifo = dir.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
#endif
  const struct {
    std::string path;
    ErrorCode code;
    const char* text;
  } cases[] = {
    {dir.file("missing"), ErrorCode::kNotFound, "No such file"},
#if !defined(_WIN32)
    {dir.path().string(), ErrorCode::kIo, "Is a directory"},
    {"/dev/zero", ErrorCode::kIo, "not a regular file"},
    {fifo, ErrorCode::kIo, "not a regular file"},
#endif
    {"", ErrorCode::kNotFound, "No such file"},
  };
  for (const auto& c : cases) {
    const auto file = FileBytes::open(c.path, true);
    ASSERT_FALSE(file) << c.path;
    EXPECT_EQ(file.error().code, c.code) << file.error().message;
    EXPECT_NE(file.error().message.find(c.path), std::string::npos) << file.error().message;
    EXPECT_NE(file.error().message.find(c.text), std::string::npos) << file.error().message;
  }
}

TEST(FileBytes, MovesKeepTheAddress) {
  const TempDir dir;
  auto file = FileBytes::open(dir.write("f", "content"), true);
  ASSERT_TRUE(file);
  const std::byte* data = file->bytes().data();
  FileBytes moved = *std::move(file);
  EXPECT_EQ(moved.bytes().data(), data);
  EXPECT_EQ(file->size(), 0u);
  moved = FileBytes::borrow({});
  EXPECT_EQ(moved.size(), 0u);
}

TEST(FileBytes, CopyIsAligned) {
  const std::string text = "xhello";
  const auto copy = FileBytes::copy_of(std::as_bytes(std::span(text)).subspan(1));
  ASSERT_TRUE(copy);
  EXPECT_EQ(text_of(*copy), "hello");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(copy->bytes().data()) % 64, 0u);
}

TEST(FileBytes, TouchingAcceptsAnyRange) {
  const TempDir dir;
  const auto file = FileBytes::open(dir.write("f", std::string(10000, 'x')), true);
  ASSERT_TRUE(file);
  touch_pages(file->bytes().subspan(1));
  EXPECT_EQ(touch_pages({}), 0u);
}

#if defined(__linux__)
long minor_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST(FileBytes, PagesInMemoryAreMappedInOneGo) {
  const TempDir dir;
  const std::string path = dir.write("f", std::string(size_t{64} << 20, 'x'));  // written just now: in memory
  const auto any = FileBytes::open(path, true);
  ASSERT_TRUE(any) << any.error().message;
  constexpr int kNoAdvice = 9999;
  if (::madvise(const_cast<std::byte*>(any->bytes().data()), 1, kNoAdvice) == 0)
    GTEST_SKIP() << "an emulator, which takes any advice and follows none";
  const auto faults = [&](bool in_one_go) {
    const auto file = FileBytes::open(path, true);
    EXPECT_TRUE(file) << file.error().message;
    if (in_one_go && !map_cached_pages(file->bytes().subspan(1))) return -1L;
    const long before = minor_faults();
    touch_pages(file->bytes());
    return minor_faults() - before;
  };
  const long without = faults(false), with = faults(true);
  if (with < 0) GTEST_SKIP() << "the system has no call for it, or no room to keep the file in memory";
  if (without < 20) GTEST_SKIP() << "this system maps files in large pages: " << without << " faults";
  EXPECT_LT(with, without / 4) << "of " << without;
}
#endif

TEST(FileBytes, MappingNoPages) {
  map_cached_pages({});
}

}  // namespace
}  // namespace hearth
