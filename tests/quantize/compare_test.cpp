// compare_files against sums done by hand, and Model::open with checks.
#include "hearth/compare.h"

#include <gtest/gtest.h>

#include <cstring>

#include "hearth/model.h"
#include "kernels/half.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

template <typename T>
GgufFile write_file(const TempDir& dir, const char* name, TensorType type, const std::vector<T>& values,
                    const char* extra) {
  auto writer = GgufWriter::create(dir.file(name));
  EXPECT_TRUE(writer->add_string("general.architecture", "test"));
  EXPECT_TRUE(writer->add_string("general.name", name));
  EXPECT_TRUE(writer->add_tensor("w", type, {static_cast<int64_t>(values.size())}));
  EXPECT_TRUE(writer->add_tensor(extra, TensorType::kF32, {1}));
  EXPECT_TRUE(writer->add_tensor("shape", TensorType::kF32, {extra[0] == 'a' ? 1 : 2}));
  EXPECT_TRUE(writer->write_data(std::as_bytes(std::span(values))));
  const std::vector<float> rest(extra[0] == 'a' ? 2 : 3, 1.0f);
  EXPECT_TRUE(writer->write_data(std::as_bytes(std::span(rest))));
  EXPECT_TRUE(writer->finish());
  return *GgufFile::open(dir.file(name));
}

TEST(CompareFiles, SumsAreThoseOfTheValues) {
  TempDir dir;
  std::vector<float> a(600000);
  std::vector<uint16_t> b(a.size());
  double squares = 0, errors = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i % 1000) * 0.001f + 0.0001f;
    b[i] = kernels::float_to_half(a[i]);
    const double d = static_cast<double>(kernels::half_to_float(b[i])) - static_cast<double>(a[i]);
    errors += d * d;
    squares += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    largest = std::max(largest, std::abs(d));
  }
  const GgufFile first = write_file(dir, "a.gguf", TensorType::kF32, a, "a"),
                 second = write_file(dir, "b.gguf", TensorType::kF16, b, "b");
  for (const int n_threads : {1, 3}) {
    const auto c = compare_files(first, second, {.n_threads = n_threads});
    ASSERT_TRUE(c) << c.error().message;
    ASSERT_EQ(c->tensors.size(), 1u);
    const TensorDifference& w = c->tensors[0];
    EXPECT_EQ(w.type_b, TensorType::kF16);
    EXPECT_EQ(w.bytes_b, b.size() * 2);
    EXPECT_NEAR(w.squared_error, errors, 1e-9 * errors);
    EXPECT_NEAR(w.relative_error(), std::sqrt(errors / squares), 1e-12);
    EXPECT_EQ(w.largest_error, largest);
    EXPECT_FALSE(w.same_bytes);
    EXPECT_EQ(c->only_a, std::vector<std::string>{"a"});
    EXPECT_EQ(c->only_b, std::vector<std::string>{"b"});
    EXPECT_EQ(c->other_shape, std::vector<std::string>{"shape"});
    EXPECT_EQ(c->keys, std::vector<std::string>{"general.name"});
  }
  const auto same = compare_files(first, first);
  EXPECT_TRUE(same->tensors[0].same_bytes);
  EXPECT_EQ(same->tensors[0].squared_error, 0);
  const auto without_data = GgufFile::open(dir.file("a.gguf"), {.metadata_only = true});
  EXPECT_EQ(compare_files(*without_data, second).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(compare_files(first, second, {.on_progress = [](uint64_t, uint64_t) { return false; }}).error().code,
            ErrorCode::kCancelled);
}

/// The small model again, with checksums.
void write_with_checksums(const GgufFile& file, const std::string& path) {
  auto writer = GgufWriter::create(path);
  for (const GgufEntry& entry : file.entries()) ASSERT_TRUE(writer->add_value(entry.key, entry.value));
  for (const GgufTensor& t : file.tensors()) {
    ASSERT_TRUE(writer->add_tensor(t.name, t.type, std::span(t.dims).first(t.n_dims)));
  }
  ASSERT_TRUE(writer->add_checksums());
  for (const GgufTensor& t : file.tensors())
    ASSERT_TRUE(writer->write_data({t.data, static_cast<size_t>(t.size_bytes)}));
  ASSERT_TRUE(writer->finish());
}

TEST(CheckTensors, AtLoadADamagedWeightIsNamed) {
  TempDir dir;
  const std::string plain = hearth::testing::source_dir() + "/examples/models/small-world-draft-q8_0.gguf";
  EXPECT_EQ(Model::open(plain, {.check_tensors = true}).error().code, ErrorCode::kNotFound) << "no checksums";
  const auto file = GgufFile::open(plain);
  write_with_checksums(*file, dir.file("m.gguf"));
  ASSERT_TRUE(Model::open(dir.file("m.gguf"), {.check_tensors = true}));
  std::string bytes = read_file(dir.file("m.gguf"));
  const auto written = GgufFile::open(dir.file("m.gguf"));
  const GgufTensor& victim = written->tensors()[5];
  bytes[static_cast<size_t>(victim.file_offset + victim.size_bytes / 2)] ^= 1;
  dir.write("damaged.gguf", bytes);
  EXPECT_TRUE(Model::open(dir.file("damaged.gguf")));
  const auto checked = Model::open(dir.file("damaged.gguf"), {.check_tensors = true});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kFormat);
  EXPECT_NE(checked.error().message.find(std::string(victim.name)), std::string::npos) << checked.error().message;
  EXPECT_EQ(Model::open(dir.file("m.gguf"),
                        {.check_tensors = true, .progress = [](uint64_t done, uint64_t) { return done == 0; }})
                .error()
                .code,
            ErrorCode::kCancelled);
}

}  // namespace
}  // namespace hearth::testing
