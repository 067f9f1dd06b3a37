// How to choose a quantization, on the project's own trained model: the divergence from the file it came from rises as
// bits get fewer, and a size that is asked for is spent where it counts.
#include <gtest/gtest.h>

#include <filesystem>

#include "hearth/quality.h"
#include "hearth/quantizer.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

class Choice : public ::testing::Test {
 protected:
  /// Makes the file; its size.
  uint64_t make(QuantizeOptions options) const {
    options.requantize = true;
    auto quantizer = Quantizer::open(source_, options);
    EXPECT_TRUE(quantizer) << quantizer.error().message;
    const auto report = quantizer->run(out_);
    EXPECT_TRUE(report) << report.error().message;
    return report ? report->file_bytes : 0;
  }
  /// Mean divergence of its predictions from those of the source.
  double divergence() const {
    const auto base = Model::open(source_), model = Model::open(out_);
    EXPECT_TRUE(base && model);
    const auto report = measure_perplexity(*model, text_, {.run = {.chunk_size = 512}, .base = &*base});
    EXPECT_TRUE(report) << report.error().message;
    return report ? report->divergence->kld.value : 0;
  }
  static std::string text() {
    std::string text = read_file(golden_dir() / "perplexity" / "world.txt");
    for (int i = 0; text.size() < 20000 && i < 700; ++i) {
      text += "Mia has a red kite. Tom has " + std::to_string(i) + " blue boats. Who has the kite? ";
    }
    return text;
  }
  const TempDir dir_;
  const std::string source_ = source_dir() + "/examples/models/small-world-q8_0.gguf";
  const std::string out_ = dir_.file("out.gguf"), text_ = text();
};

TEST_F(Choice, DivergenceRisesAsBitsGetFewer) {
  double last = -1;
  for (const char* type : {"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"}) {
    make({.type = type});
    const double kld = divergence();
    EXPECT_GT(kld, last) << type;
    last = kld;
  }
}

TEST_F(Choice, ASizeTargetBetweenTwoMixesIsBetterThanTheSmaller) {
  const uint64_t larger = make({.type = "Q5_K_M"}), smaller = make({.type = "Q4_K_M"});
  const double kld = divergence();
  for (const double share : {0.1, 0.5, 0.9}) {
    const auto target = smaller + static_cast<uint64_t>(share * static_cast<double>(larger - smaller));
    EXPECT_LE(make({.size_target = target}), target);
    EXPECT_LT(divergence(), kld) << "target " << target;
  }
}

}  // namespace
}  // namespace hearth::testing
