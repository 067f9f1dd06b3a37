// Small models of every architecture against numbers that llama.cpp 0.5.0 gives for the same files (F32 weights and
// cells, one thread, every GELU computed anew in double precision, since its own comes from a table with 16-bit
// inputs).
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "model/oracle_cases.h"
#include "support/rounding.h"

namespace {

using hearth::testing::OracleCase;

struct OracleValues {
  const char* name;
  std::vector<float> sample;
};

const OracleValues kValues[] = {
#include "model/oracle_values.inc"
};

/// Sums of 32-bit floats in another order, the longest over the feed-forward's width.
const double kRounding =
    hearth::testing::chain_nmse(hearth::testing::model_stages(hearth::testing::FamilyModel::kLayers),
                                std::max(hearth::testing::FamilyModel::kFf, hearth::testing::kOracleTokens));

class OracleCases : public ::testing::TestWithParam<OracleCase> {};

TEST_P(OracleCases, GiveTheRecordedValues) {
  const auto recorded = std::find_if(std::begin(kValues), std::end(kValues),
                                     [](const OracleValues& values) { return GetParam().name == values.name; });
  ASSERT_NE(recorded, std::end(kValues)) << "nothing is recorded of " << GetParam().name;
  std::string error;
  const auto values = hearth::testing::oracle_compute(GetParam(), error);
  ASSERT_FALSE(values.empty()) << error;
  const bool pooled = GetParam().output == hearth::testing::OracleOutput::kPooled;
  const auto sample = hearth::testing::oracle_sample(values, pooled ? 1 : hearth::testing::kOracleTokens);
  ASSERT_EQ(sample.size(), recorded->sample.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    difference += std::pow(double{sample[i]} - double{recorded->sample[i]}, 2);
    norm += std::pow(double{recorded->sample[i]}, 2);
  }
  EXPECT_LE(difference, kRounding * norm);
}

INSTANTIATE_TEST_SUITE_P(All, OracleCases, ::testing::ValuesIn(hearth::testing::oracle_cases()), [](const auto& one) {
  std::string name = one.param.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(Oracle, KnowsEveryArchitectureWithoutGoldenModels) {
  std::set<std::string> known = {"gemma4"};  // its files have shapes of their own: golden models only
  for (const OracleCase& one : hearth::testing::oracle_cases()) known.insert(one.architecture());
  for (const std::string& name : hearth::architecture_names()) EXPECT_TRUE(known.contains(name)) << name;
}

}  // namespace
