// A model and a session behind the C interface, and what its tests say of them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hearth/c.h"
#include "hearth/hearth.h"
#include "support/paths.h"

namespace hearth::testing {

inline const std::string kModel = source_dir() + "/examples/models/small-world-q8_0.gguf";

template <typename Options>
Options with_defaults(void (*init)(Options*)) {
  Options options{};
  options.size = sizeof options;
  init(&options);
  return options;
}

inline std::string text_of(HearthText text) {
  return {text.data, text.size};
}

class CInterfaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(hearth_model_open(kModel.c_str(), nullptr, &model_, &error_), HEARTH_OK) << error_.message;
    auto options = with_defaults(hearth_session_options_init);
    options.n_ctx = 256;
    options.n_seqs = 2;
    options.n_logits = 17;
    options.n_threads = 1;
    ASSERT_EQ(hearth_session_create(model_, &options, &session_, &error_), HEARTH_OK) << error_.message;
  }
  void TearDown() override {
    hearth_session_free(session_);
    hearth_model_free(model_);
  }
  std::vector<int32_t> encode(const char* text) {
    int32_t* ids = nullptr;
    size_t n = 0;
    EXPECT_EQ(hearth_tokenizer_encode(hearth_model_tokenizer(model_), text, HEARTH_NUL, nullptr, &ids, &n, &error_),
              HEARTH_OK);
    std::vector<int32_t> made(ids, ids + n);
    hearth_free(ids);
    return made;
  }
  /// What greedy sampling writes, by the C++ interface.
  std::string expected(const char* prompt, int32_t n) {
    auto model = Model::open(kModel);
    auto session = Session::create(*model, {.n_ctx = 256, .n_threads = 1});
    return session->generate(prompt, {.max_tokens = n, .sampler = {.greedy = true}})->text;
  }

  HearthError error_{};
  HearthModel* model_ = nullptr;
  HearthSession* session_ = nullptr;
};

}  // namespace hearth::testing
