// Folders whose experts are stacked in arrays of three dimensions, either way round: the files are those of the same
// experts one by one.
#include <gtest/gtest.h>

#include "convert/family_folders.h"
#include "hearth/convert.h"
#include "hearth/gguf.h"
#include "support/golden.h"

namespace hearth::testing {
namespace {

constexpr int64_t kExperts = 3;

struct Layout {
  bool transposed;
  int64_t d_ff;  ///< of an expert
};

class StackedExperts : public ::testing::TestWithParam<Layout> {
 protected:
  int64_t d_ff() const { return GetParam().d_ff; }
  FamilyCase family() const {
    return {"qwen3_moe",
            ",\"head_dim\":8,\"num_experts\":3,\"num_experts_per_tok\":2,\"norm_topk_prob\":true,"
            "\"moe_intermediate_size\":" +
                std::to_string(d_ff()),
            kHeadNorms,
            true,
            true,
            true,
            true};
  }
  std::vector<FolderTensor> one_by_one() const {
    std::vector<FolderTensor> tensors = decoder_tensors(family());
    for (FolderTensor& t : tensors) {
      if (t.name.find("experts") == std::string::npos) continue;
      t.shape = t.name.find("down") != std::string::npos ? std::vector{kD, d_ff()} : std::vector{d_ff(), kD};
    }
    return tensors;
  }
  /// Rows of a matrix, or its columns.
  void append(std::vector<float>& to, const std::vector<float>& rows, int64_t n_rows, int64_t n_columns) const {
    if (!GetParam().transposed) {
      to.insert(to.end(), rows.begin(), rows.end());
      return;
    }
    for (int64_t c = 0; c < n_columns; ++c) {
      for (int64_t r = 0; r < n_rows; ++r) to.push_back(rows[static_cast<size_t>(r * n_columns + c)]);
    }
  }
  std::vector<FolderTensor> stacked() const {
    std::vector<FolderTensor> tensors;
    for (FolderTensor& t : decoder_tensors(family())) {
      if (t.name.find("experts") == std::string::npos) tensors.push_back(std::move(t));
    }
    for (int64_t i = 0; i < kLayers; ++i) {
      const std::string base = "model.layers." + std::to_string(i) + ".mlp.experts.";
      const auto values = [&](int64_t expert, const char* name) {
        return seeded_values(base + std::to_string(expert) + "." + name + ".weight", static_cast<size_t>(kD * d_ff()));
      };
      FolderTensor gate_up{base + "gate_up_proj", {kExperts, 2 * d_ff(), kD}};
      FolderTensor down{base + "down_proj", {kExperts, kD, d_ff()}};
      for (int64_t e = 0; e < kExperts; ++e) {
        std::vector<float> both = values(e, "gate_proj");
        const std::vector<float> up = values(e, "up_proj");
        both.insert(both.end(), up.begin(), up.end());
        append(gate_up.values, both, 2 * d_ff(), kD);
        append(down.values, values(e, "down_proj"), kD, d_ff());
      }
      for (FolderTensor* t : {&gate_up, &down}) {
        if (GetParam().transposed) std::swap(t->shape[1], t->shape[2]);
        tensors.push_back(std::move(*t));
      }
    }
    return tensors;
  }
};

TEST_P(StackedExperts, MakeTheFileOfTheSameExpertsOneByOne) {
  for (const std::optional<TensorType> type : {std::optional<TensorType>(), std::optional(TensorType::kBF16)}) {
    const TempDir a, b;
    write_folder(a, config_of(family()), one_by_one());
    write_folder(b, config_of(family()), stacked());
    const auto plain = convert_model(a.path().string(), a.file("out.gguf"), {.type = type});
    ASSERT_TRUE(plain) << plain.error().message;
    uint64_t done = 0, total = 0;
    const auto report = convert_model(b.path().string(), b.file("out.gguf"),
                                      {.type = type, .on_progress = [&](uint64_t now, uint64_t all) {
                                         done = now;
                                         total = all;
                                         return true;
                                       }});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(done, total);
    const auto one = GgufFile::open(a.file("out.gguf")), other = GgufFile::open(b.file("out.gguf"));
    ASSERT_TRUE(one && other);
    ASSERT_EQ(one->tensors().size(), other->tensors().size());
    for (const GgufTensor& t : one->tensors()) {
      const GgufTensor* same = other->tensor(t.name);
      ASSERT_NE(same, nullptr) << t.name;
      EXPECT_EQ(same->dims, t.dims) << t.name;
      ASSERT_EQ(same->size_bytes, t.size_bytes) << t.name;
      EXPECT_EQ(std::memcmp(same->data, t.data, static_cast<size_t>(t.size_bytes)), 0) << t.name;
    }
  }
}

TEST_P(StackedExperts, OfAnotherShapeAreRefused) {
  const TempDir dir;
  std::vector<FolderTensor> tensors = stacked();
  tensors.back().shape = {kExperts, 2 * kD, d_ff() / 2};
  write_folder(dir, config_of(family()), tensors);
  const auto report = convert_model(dir.path().string(), dir.file("out.gguf"));
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("down_proj"), std::string::npos) << report.error().message;
  EXPECT_FALSE(std::filesystem::exists(dir.file("out.gguf")));
}

/// Of 16 the gates and what they gate are together as wide as the model, of 32 an expert is: one array alone would not
/// tell which way round it is.
INSTANTIATE_TEST_SUITE_P(Layouts, StackedExperts,
                         ::testing::Values(Layout{false, 24}, Layout{true, 24}, Layout{false, 16}, Layout{true, 16},
                                           Layout{false, 32}, Layout{true, 32}));

}  // namespace
}  // namespace hearth::testing
