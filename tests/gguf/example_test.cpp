// The examples of include/hearth/gguf.h, as they stand there.
#include <gtest/gtest.h>

#include "hearth/gguf.h"
#include "support/temp_dir.h"

namespace {

TEST(GgufHeader, ExamplesWork) {
  const hearth::testing::TempDir dir;
  const std::string path = dir.file("model.gguf");
  const std::vector<float> weights(256 * 10, 0.5f);
  const auto bytes = std::as_bytes(std::span(weights));

  auto w = hearth::GgufWriter::create(path);
  ASSERT_TRUE(w) << w.error().message;
  ASSERT_TRUE(w->add_string("general.architecture", "llama"));
  ASSERT_TRUE(w->add_tensor("token_embd.weight", hearth::TensorType::kF32, {256, 10}));
  ASSERT_TRUE(w->write_data(bytes));
  auto status = w->finish();
  ASSERT_TRUE(status) << status.error().message;

  auto file = hearth::GgufFile::open(path);
  ASSERT_TRUE(file) << file.error().message;
  auto arch = file->get_string("general.architecture");
  EXPECT_EQ(*arch, "llama");
  for (const hearth::GgufTensor& t : file->tensors()) {
    EXPECT_EQ(t.name, "token_embd.weight");
    EXPECT_EQ(t.dims[0], 256);
    EXPECT_EQ(t.size_bytes, bytes.size());
  }
}

}  // namespace
