// Decoding of every tensor type, and the encoders there are, against the golden blocks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/encoders.h"
#include "kernels/reference/quants.h"
#include "tests/kernels/random_blocks.h"
#include "tests/support/golden.h"

namespace hearth {
namespace {

using nlohmann::json;

/// One type of the golden folder: its sections by name.
class GoldenQuant {
 public:
  explicit GoldenQuant(const json& type) : type_(type) {
    bytes_ = testing::read_file(testing::golden_dir() / "quants" / (name() + ".bin"));
  }
  std::string name() const { return type_["name"]; }
  const json* section(const std::string& wanted) const {
    for (const json& section : type_["sections"]) {
      if (section["name"] == wanted) return &section;
    }
    return nullptr;
  }
  std::string bytes(const json& section) const { return bytes_.substr(section["offset"], section["bytes"]); }
  std::vector<float> floats(const json& section) const { return as_floats(bytes(section)); }
  const json& sections() const { return type_["sections"]; }

  static std::vector<float> as_floats(const std::string& bytes) {
    std::vector<float> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), values.size() * 4);
    return values;
  }

 private:
  const json& type_;
  std::string bytes_;
};

int type_index(const std::string& name) {
  for (int i = 0; i < kernels::kTypeCount; ++i) {
    if (name == testing::kTypeNames[i]) return i;
  }
  return -1;
}

json golden_index() {
  const std::string text = testing::read_file(testing::golden_dir() / "quants" / "index.json");
  return text.empty() ? json() : json::parse(text);
}

bool same(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

class GoldenQuants : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenQuants, DecodesBitExactlyOnEveryInstructionSet) {
  const json index = golden_index();
  if (index.is_null()) GTEST_SKIP() << "no golden data";
  const int type = type_index(GetParam());
  if (type < 0) GTEST_SKIP() << GetParam() << ": not computed with yet";
  for (const json& entry : index["types"]) {
    if (entry["name"] != GetParam()) continue;
    const GoldenQuant golden(entry);
    for (const json& section : golden.sections()) {
      if (!section.contains("of")) continue;
      const std::string blocks = golden.bytes(*golden.section(section["of"]));
      const std::vector<float> expected = golden.floats(section);
      for (int isa = 0; isa < kernels::isa_count(); ++isa) {
        const kernels::KernelTable* table = kernels::isa_table(isa);
        if (table == nullptr) continue;
        std::vector<float> actual(expected.size(), std::nanf(""));
        table->types[type].dequantize(actual.data(), blocks.data(), static_cast<int64_t>(actual.size()));
        for (size_t i = 0; i < actual.size(); ++i) {
          ASSERT_TRUE(same(actual[i], expected[i]))
              << table->isa << " " << section["name"] << " element " << i << ": " << actual[i] << " != " << expected[i];
        }
      }
    }
  }
}

/// Floats of 16 bits as encoders write them: what has become infinite is the largest finite number.
std::string without_overflow(std::string halves, const std::vector<float>& x, uint16_t infinity) {
  for (size_t i = 0; i < x.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, halves.data() + 2 * i, 2);
    if (!std::isfinite(x[i]) || (bits & 0x7fff) != infinity) continue;
    --bits;
    std::memcpy(halves.data() + 2 * i, &bits, 2);
  }
  return halves;
}

/// Types whose encoding is a rounding, which all programs do alike. (The others are searches: encode_golden_test.cpp
/// holds their errors to the recorded ones.)
class GoldenRounding : public GoldenQuants {};

TEST_P(GoldenRounding, EncodesByteExactlyOnEveryInstructionSet) {
  const json index = golden_index();
  if (index.is_null()) GTEST_SKIP() << "no golden data";
  int n_sections = 0;
  for (const json& entry : index["types"]) {
    if (entry["name"] != GetParam()) continue;
    const GoldenQuant golden(entry);
    for (const json& section : golden.sections()) {
      if (!section.contains("input")) continue;
      const std::string input = section["input"];
      const std::vector<float> x =
          golden.section(input) != nullptr
              ? golden.floats(*golden.section(input))
              : GoldenQuant::as_floats(testing::read_file(testing::golden_dir() / "quants" / input));
      std::string expected = golden.bytes(section);
      for (int set = 0; set < kernels::encoder_set_count(); ++set) {
        const kernels::EncoderTable* encoders = kernels::encoder_set(set);
        if (encoders == nullptr) continue;
        std::string actual(expected.size(), '\x55');
        encoders->encode[type_index(GetParam())](actual.data(), x.data(), nullptr, static_cast<int64_t>(x.size()));
        if (GetParam() != "Q8_0") expected = without_overflow(expected, x, GetParam() == "F16" ? 0x7c00 : 0x7f80);
        EXPECT_TRUE(actual == expected) << section["name"] << ", set " << set;
        ++n_sections;
      }
    }
  }
  EXPECT_GT(n_sections, 0);
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenRounding, ::testing::Values("F16", "BF16", "Q8_0"),
                         [](const auto& each) { return each.param; });

std::vector<std::string> golden_type_names() {
  std::vector<std::string> names;
  const json index = golden_index();
  if (index.is_null()) return {testing::kTypeNames[0]};
  for (const json& entry : index["types"]) names.push_back(entry["name"]);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenQuants, ::testing::ValuesIn(golden_type_names()),
                         [](const auto& type) { return type.param; });

}  // namespace
}  // namespace hearth
