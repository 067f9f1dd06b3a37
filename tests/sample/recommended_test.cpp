// Sampling settings out of a file's metadata.
#include <gtest/gtest.h>

#include <filesystem>

#include "hearth/sampler.h"

namespace hearth {
namespace {

TEST(RecommendedSampling, IsReadWhereItIsInRange) {
  const std::string path = (std::filesystem::temp_directory_path() / "hearth-recommended-test.gguf").string();
  {
    auto writer = GgufWriter::create(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->add_string("general.architecture", "llama"));
    ASSERT_TRUE(writer->add_float32("general.sampling.temp", 0.6f));
    ASSERT_TRUE(writer->add_int32("general.sampling.top_k", 20));
    ASSERT_TRUE(writer->add_float32("general.sampling.top_p", -3.0f));      // out of range
    ASSERT_TRUE(writer->add_string("general.sampling.min_p", "a little"));  // no number
    ASSERT_TRUE(writer->add_float32("general.sampling.penalty_repeat", 1.1f));
    ASSERT_TRUE(writer->add_tensor("t", TensorType::kF32, {1}));
    const float value = 0;
    ASSERT_TRUE(writer->write_data(std::as_bytes(std::span(&value, 1))));
    ASSERT_TRUE(writer->finish());
  }
  const auto file = GgufFile::open(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(file) << file.error();
  const SamplerOptions o = recommended_sampling(*file, {.top_p = 0.5f, .min_p = 0.25f});
  EXPECT_EQ(o.temperature, 0.6f);
  EXPECT_EQ(o.top_k, 20);
  EXPECT_EQ(o.top_p, 0.5f);
  EXPECT_EQ(o.min_p, 0.25f);
  EXPECT_EQ(o.repeat_penalty, 1.1f);
}

}  // namespace
}  // namespace hearth
