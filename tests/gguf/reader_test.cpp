// Values and tensors of well-formed files.
#include "hearth/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "gguf/gguf_builder.h"
#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::Bytes;
using testing::every_type_file;
using testing::TempDir;

class GgufReader : public ::testing::Test {
 protected:
  void SetUp() override {
    auto file = GgufFile::from_memory(bytes_.bytes());
    ASSERT_TRUE(file) << file.error().message;
    file_.emplace(*file);
  }
  const GgufValue& value(std::string_view key) { return *file_->find(key); }

  Bytes bytes_ = every_type_file();
  std::optional<GgufFile> file_;
};

TEST_F(GgufReader, ReadsEveryScalarType) {
  EXPECT_EQ(*file_->get_int("a.u8"), 200);
  EXPECT_EQ(*file_->get_int("a.i8"), -100);
  EXPECT_EQ(*file_->get_int("a.u16"), 60000);
  EXPECT_EQ(*file_->get_int("a.i16"), -30000);
  EXPECT_EQ(*file_->get_int("a.u32"), 4000000000);
  EXPECT_EQ(*file_->get_int("a.i32"), -2000000000);
  EXPECT_EQ(*file_->get_int("a.i64"), -(int64_t{1} << 62));
  EXPECT_EQ(*file_->get_float("a.f32"), 1.5);
  EXPECT_EQ(*file_->get_float("a.f64"), -2.25);
  EXPECT_EQ(*file_->get_float("a.u8"), 200.0);
  EXPECT_EQ(*file_->get_float("a.u64"), 9223372036854775808.0);
  EXPECT_TRUE(*file_->get_bool("a.bool"));
  EXPECT_EQ(*file_->get_string("a.string"), std::string_view("x\0y", 3));
}

TEST_F(GgufReader, RefusesWrongTypesByName) {
  const auto expect_error = [](const Error& error, ErrorCode code, const char* text) {
    EXPECT_EQ(error.code, code);
    EXPECT_NE(error.message.find(text), std::string::npos) << error.message;
  };
  expect_error(file_->get_int("a.missing").error(), ErrorCode::kNotFound, "'a.missing'");
  expect_error(file_->get_int("a.f32").error(), ErrorCode::kFormat, "'a.f32' is float32, not an integer");
  expect_error(file_->get_int("a.bool").error(), ErrorCode::kFormat, "'a.bool'");
  expect_error(file_->get_int("a.u64").error(), ErrorCode::kFormat, "9223372036854775808");
  expect_error(file_->get_bool("a.u8").error(), ErrorCode::kFormat, "'a.u8' is uint8, not a bool");
  expect_error(file_->get_float("a.bool").error(), ErrorCode::kFormat, "'a.bool'");
  expect_error(file_->get_string("b.string").error(), ErrorCode::kFormat, "an array of string, not a string");
  EXPECT_FALSE(value("b.string").as_int_array());
  EXPECT_FALSE(value("b.bool").as_int_array());
  EXPECT_FALSE(value("b.f32").as_int_array());
  EXPECT_FALSE(value("b.bool").as_float_array());
  EXPECT_FALSE(value("b.u8").as_string_array());
  EXPECT_FALSE(value("a.u8").as_array());
  EXPECT_FALSE(value("a.u8").as_int_array());
  EXPECT_FALSE(GgufValue().as_int());
  EXPECT_FALSE(GgufValue().as_float());
}

TEST_F(GgufReader, ConvertsArrays) {
  EXPECT_EQ(*value("b.u8").as_int_array(), (std::vector<int64_t>{1, 2, 255}));
  EXPECT_EQ(*value("b.i64").as_int_array(), (std::vector<int64_t>{-1, 7}));
  EXPECT_EQ(*value("b.i64").as_float_array(), (std::vector<float>{-1, 7}));
  EXPECT_EQ(*value("b.f32").as_float_array(), (std::vector<float>{0.5f, -0.25f}));
  EXPECT_EQ(*value("b.string").as_string_array(), (std::vector<std::string_view>{"one", "", "three"}));
  EXPECT_EQ(value("b.empty").as_string_array()->size(), 0u);
  EXPECT_EQ(value("b.u8").size(), 3u);
  EXPECT_EQ(value("b.u8").element_type(), GgufType::kUint8);
  const auto bools = value("b.bool").as_array();
  ASSERT_TRUE(bools);
  EXPECT_FALSE(*(*bools)[0].as_bool());
  EXPECT_TRUE(*(*bools)[1].as_bool());
}

TEST_F(GgufReader, ConvertsNestedArrays) {
  const auto outer = value("b.nested").as_array();
  ASSERT_TRUE(outer);
  ASSERT_EQ(outer->size(), 2u);
  EXPECT_EQ(*(*outer)[0].as_int_array(), (std::vector<int64_t>{5, 6}));
  const auto inner = (*outer)[1].as_array();
  ASSERT_TRUE(inner);
  EXPECT_EQ(*(*inner)[0].as_string_array(), (std::vector<std::string_view>{"deep"}));
}

TEST_F(GgufReader, PlacesTensors) {
  ASSERT_EQ(file_->tensors().size(), 3u);
  const GgufTensor* q8 = file_->tensor("t.q8_0");
  ASSERT_NE(q8, nullptr);
  EXPECT_EQ(q8->type, TensorType::kQ8_0);
  EXPECT_EQ(q8->n_dims, 3u);
  EXPECT_EQ(q8->dims, (std::array<int64_t, 4>{32, 2, 1, 1}));
  EXPECT_EQ(q8->n_elements, 64);
  EXPECT_EQ(q8->size_bytes, 68u);
  EXPECT_EQ(q8->file_offset % 32, 0u);
  EXPECT_EQ(static_cast<uint8_t>(q8->data[1]), static_cast<uint8_t>(33 * 7));
  EXPECT_EQ(file_->tensor("t.f16")->data + 32, bytes_.bytes().data() + bytes_.bytes().size());
  EXPECT_EQ(file_->tensor("t"), nullptr);
  EXPECT_EQ(file_->version(), 3u);
  EXPECT_EQ(file_->alignment(), 32u);
  EXPECT_EQ(file_->file_bytes(), bytes_.bytes().size());
  EXPECT_FALSE(file_->is_mapped());
}

TEST_F(GgufReader, KeepsTheOrderOfTheFile) {
  EXPECT_EQ(file_->entries().size(), 19u);
  EXPECT_EQ(file_->entries().front().key, "a.u8");
  EXPECT_EQ(file_->entries().back().key, "b.nested");
}

TEST_F(GgufReader, VersionTwoReadsTheSame) {
  std::string text = bytes_.text();
  text[4] = 2;
  const auto file = GgufFile::from_memory(std::as_bytes(std::span(text)));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->version(), 2u);
  EXPECT_EQ(file->tensors().size(), 3u);
}

TEST_F(GgufReader, UnalignedMemoryGivesAlignedTensors) {
  const std::string shifted = "x" + bytes_.text();
  const auto file = GgufFile::from_memory(std::as_bytes(std::span(shifted)).subspan(1));
  ASSERT_TRUE(file) << file.error().message;
  for (const GgufTensor& tensor : file->tensors()) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data) % 8, 0u);
    EXPECT_EQ(std::memcmp(tensor.data, file_->tensor(tensor.name)->data, tensor.size_bytes), 0);
  }
}

TEST_F(GgufReader, MetadataOnlyNeedsNoTensorData) {
  const size_t infos_end = file_->tensors().front().file_offset;
  const auto cut = GgufFile::from_memory(bytes_.bytes().first(infos_end), {.metadata_only = true});
  ASSERT_TRUE(cut) << cut.error().message;
  ASSERT_EQ(cut->tensors().size(), 3u);
  EXPECT_EQ(cut->tensor("t.q8_0")->size_bytes, 68u);
  EXPECT_EQ(cut->tensor("t.q8_0")->data, nullptr);
  EXPECT_FALSE(GgufFile::from_memory(bytes_.bytes().first(infos_end)));
}

TEST_F(GgufReader, MappedAndReadFilesAgreeWithMemory) {
  const TempDir dir;
  const std::string path = dir.write("every.gguf", bytes_.text());
  for (const bool use_mmap : {true, false}) {
    const auto file = GgufFile::open(path, {.use_mmap = use_mmap});
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->is_mapped(), use_mmap);
    EXPECT_EQ(file->shard_paths(), std::vector<std::string>{path});
    ASSERT_EQ(file->entries().size(), file_->entries().size());
    for (size_t i = 0; i < file->entries().size(); ++i) {
      const auto a = file->entries()[i].value.bytes();
      const auto b = file_->entries()[i].value.bytes();
      EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << file->entries()[i].key;
    }
    for (const GgufTensor& tensor : file->tensors()) {
      EXPECT_EQ(std::memcmp(tensor.data, file_->tensor(tensor.name)->data, tensor.size_bytes), 0) << tensor.name;
    }
  }
}

TEST_F(GgufReader, CopiesShareTheMapping) {
  const TempDir dir;
  const std::string path = dir.write("every.gguf", bytes_.text());
  std::optional<GgufFile> copy;
  {
    const auto file = GgufFile::open(path);
    ASSERT_TRUE(file);
    copy.emplace(*file);
  }
  EXPECT_EQ(*copy->get_string("a.string"), std::string_view("x\0y", 3));
}

TEST(GgufTypes, TensorTypesHaveTheShapesOfTheFormat) {
  const auto expect = [](TensorType type, std::string_view name, uint32_t size, uint32_t bytes) {
    const TensorTypeInfo* info = tensor_type_info(type);
    ASSERT_NE(info, nullptr) << name;
    EXPECT_EQ(info->name, name);
    EXPECT_EQ(info->block_size, size) << name;
    EXPECT_EQ(info->block_bytes, bytes) << name;
  };
  expect(TensorType::kF32, "F32", 1, 4);
  expect(TensorType::kBF16, "BF16", 1, 2);
  expect(TensorType::kQ4_0, "Q4_0", 32, 18);
  expect(TensorType::kQ6_K, "Q6_K", 256, 210);
  expect(TensorType::kMXFP4, "MXFP4", 32, 17);
  for (const uint32_t unknown : {4u, 5u, 31u, 36u, 38u, 43u, 0xffffffffu}) {
    EXPECT_EQ(tensor_type_info(static_cast<TensorType>(unknown)), nullptr) << unknown;
  }
}

TEST(GgufTypes, ValueTypesHaveNames) {
  EXPECT_STREQ(gguf_type_name(GgufType::kUint8), "uint8");
  EXPECT_STREQ(gguf_type_name(GgufType::kFloat64), "float64");
  EXPECT_STREQ(gguf_type_name(static_cast<GgufType>(13)), "unknown");
}

TEST(GgufOddTensors, NoDimensionsAreOneElement) {
  const std::string text = Bytes().header(1, 0).tensor("scale", {}, 0, 0).align(32).raw(1.5f).align(32).text();
  const auto file = GgufFile::from_memory(std::as_bytes(std::span(text)));
  ASSERT_TRUE(file) << file.error().message;
  const GgufTensor* scale = file->tensor("scale");
  EXPECT_EQ(scale->n_dims, 0u);
  EXPECT_EQ(scale->n_elements, 1);
  EXPECT_EQ(scale->size_bytes, 4u);
}

TEST(GgufOddTensors, EmptyOnesTakeNoBytesAndNoPlace) {
  Bytes b;
  b.header(4, 0).tensor("w", {8}, 0, 0).tensor("first", {0}, 0, 0).tensor("last", {8, 0}, 0, 32);
  b.tensor("wide", {1ull << 62, 0, 9}, 0, 0).align(32).zeros(32);
  const auto file = GgufFile::from_memory(b.bytes());
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 4u);
  for (const char* name : {"first", "last", "wide"}) {
    EXPECT_EQ(file->tensor(name)->n_elements, 0) << name;
    EXPECT_EQ(file->tensor(name)->size_bytes, 0u) << name;
  }
}

TEST(GgufOddValues, AnyByteButZeroIsTrue) {
  Bytes b;
  b.header(0, 2).key("flag", GgufType::kBool).u8(2).array("flags", GgufType::kBool, 3).u8(0).u8(255).u8(1);
  const auto file = GgufFile::from_memory(b.bytes());
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(*file->get_bool("flag"));
  const auto flags = file->find("flags")->as_array();
  ASSERT_TRUE(flags);
  EXPECT_FALSE(*(*flags)[0].as_bool());
  EXPECT_TRUE(*(*flags)[1].as_bool());
}

}  // namespace
}  // namespace hearth
