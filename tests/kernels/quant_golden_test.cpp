// Decoding of every tensor type, and the encoders there are, against the golden blocks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
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

/// The encoder of a type, or nullptr where there is none yet.
void (*encoder_of(const std::string& name))(void* blocks, const float* x, int64_t n) {
#define HEARTH_FLOAT_TYPE(Name, size, bytes) \
  if (name == #Name) return kernels::reference::quantize_##Name;
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind)
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
  return name == "Q8_0" ? kernels::reference::quantize_Q8_0 : nullptr;
}

TEST_P(GoldenQuants, EncodesByteExactlyWhereThereIsAnEncoder) {
  const json index = golden_index();
  if (index.is_null()) GTEST_SKIP() << "no golden data";
  const int type = type_index(GetParam());
  if (type < 0) GTEST_SKIP() << GetParam() << ": not computed with yet";
  const auto encode = encoder_of(GetParam());
  if (encode == nullptr) GTEST_SKIP() << GetParam() << ": no encoder yet";
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
      const std::string expected = golden.bytes(section);
      std::string actual(expected.size(), '\x55');
      encode(actual.data(), x.data(), static_cast<int64_t>(x.size()));
      EXPECT_TRUE(actual == expected) << section["name"];
    }
  }
}

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
