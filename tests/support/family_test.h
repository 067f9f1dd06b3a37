// A fixture for tests that go over several families: a small model of the one that the parameter names.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "hearth/model.h"
#include "lib/arch/architecture.h"
#include "support/family_model.h"

namespace hearth::testing {

class FamilyTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    bytes_ = FamilyModel(*find_architecture(GetParam())).gguf();
    auto model = Model::from_memory(bytes_);
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
  }

  std::vector<std::byte> bytes_;
  std::optional<Model> model_;
};

/// Of a parameter, for the names of tests.
inline std::string family_name(const ::testing::TestParamInfo<const char*>& test) {
  std::string name = test.param;
  std::erase(name, '-');
  return name;
}

}  // namespace hearth::testing
