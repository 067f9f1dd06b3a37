// Malformed tensor infos and the runner of all malformed cases.
#include <gtest/gtest.h>

#include "gguf/gguf_builder.h"
#include "gguf/malformed_cases.h"
#include "support/temp_dir.h"

namespace hearth {
namespace testing {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};
constexpr auto kFormat = ErrorCode::kFormat;
constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ8_0 = 8;
constexpr uint32_t kQ4_K = 12;
constexpr uint32_t kF64 = 28;

/// A file with one tensor and 4096 bytes of data.
std::string tensor_file(const std::vector<uint64_t>& dims, uint32_t type = kF32, uint64_t offset = 0) {
  return Bytes().header(1, 0).tensor("w", dims, type, offset).align(32).zeros(4096).text();
}

std::string named_file(std::string_view name) {
  return Bytes().header(1, 0).tensor(name, {8}, kF32, 0).align(32).zeros(32).text();
}

/// Two tensors of 32 and 64 bytes at the given offsets.
std::string two_tensors(std::string_view a, uint64_t a_offset, std::string_view b, uint64_t b_offset) {
  return Bytes()
      .header(2, 0)
      .tensor(a, {8}, kF32, a_offset)
      .tensor(b, {16}, kF32, b_offset)
      .align(32)
      .zeros(256)
      .text();
}

std::vector<MalformedCase> malformed_names() {
  return {
      {"tensor_name_empty", named_file(""), kFormat, "name of tensor 0 is empty"},
      {"tensor_name_beyond_limit", named_file(std::string(256, 'n')), kFormat, "256 bytes"},
      {"tensor_name_length_max", Bytes().header(1, 0).u64(kMax).zeros(99).text(), kFormat, "18446744073709551615"},
      {"tensor_name_beyond_file", Bytes().header(1, 0).u64(99).zeros(64).text(), kFormat, "passes the end"},
      {"tensor_name_with_nul", named_file(std::string_view("a\0b", 3)), kFormat, "'a\\x00b' contains a NUL"},
      {"tensor_name_twice", two_tensors("same", 0, "same", 32), kFormat, "tensor 'same' occurs twice"},
      {"tensor_missing", Bytes().header(2, 0).tensor("w", {8}, kF32, 0).zeros(40).text(), kFormat, "tensor 1"},
  };
}

std::vector<MalformedCase> malformed_shapes() {
  const std::string dims_5 = Bytes().header(1, 0).tensor("w", {1, 1, 1, 1, 1}, kF32, 0).align(32).zeros(32).text();
  const std::string dims_max = Bytes().header(1, 0).string("w").u32(0xffffffff).zeros(99).text();
  return {
      {"dims_five", dims_5, kFormat, "'w': has 5 dimensions"},
      {"dims_max", dims_max, kFormat, "'w': has 4294967295 dimensions"},
      {"dims_cut", Bytes().header(1, 0).string("w").u32(4).zeros(31).text(), kFormat, "'w': the file ends"},
      {"dim_negative", tensor_file({kMax}), kFormat, "'w': has a dimension of -1"},
      {"dim_negative_pair", tensor_file({kMax, kMax}), kFormat, "'w': has a dimension of -1"},
      {"dim_sign_bit", tensor_file({8, 1ull << 63}), kFormat, "'w': has a dimension of -9223372036854775808"},
      {"elements_wrap_to_0", tensor_file({1ull << 32, 1ull << 32}), kFormat, "'w': the product"},
      {"elements_wrap_to_8", tensor_file({8, (1ull << 61) + 1}), kFormat, "'w': the product"},
      {"elements_wrap_in_four", tensor_file({1ull << 16, 1ull << 16, 1ull << 16, 1ull << 16}), kFormat, "the product"},
      {"elements_overflow_sign", tensor_file({1ull << 62, 2}), kFormat, "'w': the product"},
      {"bytes_wrap", tensor_file({1ull << 62}), kFormat, "'w': its size in bytes overflows"},
      {"bytes_wrap_to_small", tensor_file({(1ull << 61) + 1}, kF64), kFormat, "'w': its size in bytes overflows"},
      {"type_cut", Bytes().header(1, 0).string("wwwwww").u32(1).u64(8).u32(kF32).u32(0).text(), kFormat, "'wwwwww'"},
      {"type_removed", tensor_file({32}, 4), ErrorCode::kUnsupported, "'w': unknown type 4"},
      {"type_repacked", tensor_file({32}, 31), ErrorCode::kUnsupported, "'w': unknown type 31"},
      {"type_beyond", tensor_file({32}, 43), ErrorCode::kUnsupported, "'w': unknown type 43"},
      {"type_negative", tensor_file({32}, 0xffffffff), ErrorCode::kUnsupported, "'w': unknown type 4294967295"},
      {"row_not_whole_blocks", tensor_file({33, 2}, kQ8_0), kFormat, "'w': its rows of 33"},
      {"row_below_one_block", tensor_file({128, 2}, kQ4_K), kFormat, "'w': its rows of 128"},
  };
}

std::vector<MalformedCase> malformed_places() {
  const std::string good = tensor_file({1024});
  return {
      {"offset_unaligned", tensor_file({8}, kF32, 16), kFormat, "'w': its offset 16"},
      {"offset_max", tensor_file({8}, kF32, kMax), kFormat, "'w': its offset 18446744073709551615"},
      {"offset_wraps", tensor_file({8}, kF32, kMax - 31), kFormat, "'w': its offset 18446744073709551584"},
      {"offset_wraps_with_start", tensor_file({8}, kF32, (kMax / 2) - 31), kFormat, "'w'"},
      {"offset_sign_bit", tensor_file({8}, kF32, 1ull << 63), kFormat, "'w': its offset 9223372036854775808"},
      {"offset_at_the_end", tensor_file({8}, kF32, 4096), kFormat, "'w': its 32 bytes pass the end"},
      {"data_beyond_file", tensor_file({1025}), kFormat, "'w': its 4100 bytes pass the end"},
      {"data_one_byte_short", good.substr(0, good.size() - 1), kFormat, "'w': its 4096 bytes pass the end"},
      {"data_missing", good.substr(0, good.size() - 4096), kFormat, "'w'"},
      {"data_huge", tensor_file({1ull << 60}), kFormat, "'w': its 4611686018427387904 bytes pass the end"},
      {"same_place", two_tensors("a", 0, "b", 0), kFormat, "overlap"},
      {"overlap_in_part", two_tensors("a", 32, "b", 0), kFormat, "'b' and 'a' overlap"},
  };
}

std::vector<MalformedCase> malformed_splits() {
  const auto split = [](GgufType type, auto value) {
    return Bytes().header(0, 1).key("split.count", type).raw(value).text();
  };
  const std::string second = Bytes()
                                 .header(0, 2)
                                 .key("split.count", GgufType::kUint16)
                                 .raw<uint16_t>(3)
                                 .key("split.no", GgufType::kUint16)
                                 .raw<uint16_t>(1)
                                 .text();
  return {
      {"split_without_number", split(GgufType::kUint16, uint16_t{3}), kFormat, "'split.no' is missing"},
      {"split_count_is_float", split(GgufType::kFloat32, 3.0f), kFormat, "'split.count' is float32"},
      {"split_count_negative", split(GgufType::kInt32, int32_t{-2}), kFormat, "'split.count' is -2"},
      {"split_count_beyond_limit", split(GgufType::kUint32, uint32_t{65536}), kFormat, "'split.count' is 65536"},
      {"split_count_max", split(GgufType::kUint64, kMax), kFormat, "'split.count'"},
      {"split_second_file", second, ErrorCode::kInvalidArgument, "file 2 of 3 split files; open the first"},
  };
}

}  // namespace

std::vector<MalformedCase> malformed_tensors() {
  std::vector<MalformedCase> all = malformed_names();
  for (const auto& group : {malformed_shapes(), malformed_places(), malformed_splits()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

}  // namespace testing

namespace {

using testing::MalformedCase;

class MalformedGguf : public ::testing::TestWithParam<MalformedCase> {
 protected:
  static void expect_error(const Error& error, const std::string& where) {
    const MalformedCase& c = GetParam();
    EXPECT_EQ(error_code_name(error.code), std::string(error_code_name(c.code))) << error.message;
    EXPECT_EQ(error.message.substr(0, where.size() + 2), where + ": ");
    EXPECT_NE(error.message.find(c.text), std::string::npos) << error.message;
    const bool names_place = error.message.find("offset ") != std::string::npos;
    EXPECT_TRUE(names_place || error.message.find("key '") != std::string::npos ||
                error.message.find("split") != std::string::npos)
        << error.message;
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
    EXPECT_LT(error.message.size(), 400u);
  }
};

TEST_P(MalformedGguf, IsRefusedByEveryWay) {
  // On the heap in its exact size, for the sanitizers.
  std::string bytes = GetParam().bytes + std::string(GetParam().zeros_after, '\0');
  bytes.shrink_to_fit();
  const auto in_memory = GgufFile::from_memory(std::as_bytes(std::span(bytes)));
  ASSERT_FALSE(in_memory);
  expect_error(in_memory.error(), "memory");

  const testing::TempDir dir;
  const std::string path = dir.write("bad.gguf", bytes);
  for (const bool use_mmap : {true, false}) {
    const auto file = GgufFile::open(path, {.use_mmap = use_mmap});
    ASSERT_FALSE(file);
    expect_error(file.error(), path);
  }
}

const auto case_name = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Headers, MalformedGguf, ::testing::ValuesIn(testing::malformed_headers()), case_name);
INSTANTIATE_TEST_SUITE_P(Metadata, MalformedGguf, ::testing::ValuesIn(testing::malformed_metadata()), case_name);
INSTANTIATE_TEST_SUITE_P(Alignments, MalformedGguf, ::testing::ValuesIn(testing::malformed_alignments()), case_name);
INSTANTIATE_TEST_SUITE_P(Tensors, MalformedGguf, ::testing::ValuesIn(testing::malformed_tensors()), case_name);

TEST(MalformedGgufFiles, FoldersAndMissingFilesAreNamed) {
  const testing::TempDir dir;
  const auto folder = GgufFile::open(dir.path().string());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::kIo);
  EXPECT_NE(folder.error().message.find("Is a directory"), std::string::npos) << folder.error().message;
  const auto missing = GgufFile::open(dir.file("missing.gguf"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("missing.gguf"), std::string::npos) << missing.error().message;
}

}  // namespace
}  // namespace hearth
