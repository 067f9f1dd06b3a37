// Saving and restoring sequences: they go on to the bit, what does not fit or is damaged is refused, and nothing
// changes then.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "hearth/hearth.h"
#include "support/temp_dir.h"
#include "support/tiny_model.h"

namespace {

using hearth::KVType;
using hearth::Session;
using hearth::Token;

class SavedSequence : public ::testing::Test {
 protected:
  SavedSequence() : bytes_(hearth::testing::TinyModel().gguf()), model_(open(bytes_)) {}
  static hearth::Model open(std::span<const std::byte> bytes) {
    auto model = hearth::Model::from_memory(bytes);
    EXPECT_TRUE(model) << model.error().message;
    return std::move(*model);
  }
  Session session(const hearth::SessionOptions& options) const {
    auto made = Session::create(model_, options);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static std::vector<Token> tokens(int n) {
    std::vector<Token> ids;
    for (int i = 0; i < n; ++i) ids.push_back((i * 7 + 3) % 50);
    return ids;
  }
  /// Logits of one more token.
  static std::vector<float> go_on(Session& s, hearth::SeqId seq) {
    const hearth::BatchToken next{5, s.cache().length(seq), seq, true};
    const auto status = s.decode({&next, 1});
    EXPECT_TRUE(status) << status.error().message;
    return {s.logits(0).begin(), s.logits(0).end()};
  }

  std::vector<std::byte> bytes_;
  hearth::Model model_;
};

TEST_F(SavedSequence, GoesOnToTheBitInEveryType) {
  for (const KVType type : hearth::list_kv_types()) {
    Session first = session({.n_ctx = 256, .n_seqs = 2, .k_type = type, .v_type = type});
    ASSERT_TRUE(first.prefill(tokens(100)));
    const auto saved = first.save(0);
    ASSERT_TRUE(saved);
    const std::vector<float> expected = go_on(first, 0);
    Session second = session({.n_ctx = 128, .n_seqs = 2, .k_type = type, .v_type = type});
    const auto status = second.restore(1, *saved);
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(second.cache().length(1), 100);
    EXPECT_EQ(second.cache().token(1, 99), tokens(100)[99]);
    EXPECT_EQ(go_on(second, 1), expected);
    const auto again = second.save(1);
    ASSERT_TRUE(again);
    EXPECT_GT(again->size(), saved->size() - 1);
  }
}

TEST_F(SavedSequence, WhatIsNotHeldIsNotWritten) {
  Session first = session({.n_ctx = 256}), second = session({.n_ctx = 256});
  ASSERT_TRUE(first.prefill(tokens(100)));
  ASSERT_TRUE(first.cache().trim(0, 20));
  const std::vector<Token> ids = tokens(100);
  ASSERT_TRUE(second.prefill(std::span(ids).first(20)));
  const auto a = first.save(0), b = second.save(0);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->size(), b->size());
}

TEST_F(SavedSequence, FilesAreRefusedWithTheReason) {
  hearth::testing::TempDir dir;
  const std::string path = dir.file("sequence");
  Session s = session({.n_ctx = 256});
  ASSERT_TRUE(s.prefill(tokens(70)));
  ASSERT_TRUE(s.save(0, path));
  const auto refused = [&](const hearth::SessionOptions& options, const std::string& part) {
    Session other = session(options);
    ASSERT_TRUE(other.prefill(tokens(10)));
    const auto status = other.restore(0, path);
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find(part), std::string::npos) << status.error().message;
    EXPECT_EQ(other.cache().length(0), 10);
  };
  refused({.n_ctx = 256, .k_type = KVType::kQ8_0}, "its keys and values are f16 and f16");
  refused({.n_ctx = 64}, "beyond a context of 64");
  refused({.n_ctx = 256, .rope = {.freq_base = 777}}, "of another model");
  EXPECT_FALSE(s.restore(0, path + "x"));
  EXPECT_FALSE(s.save(9, path));
  ASSERT_TRUE(s.restore(0, path));  // what was there is replaced
  EXPECT_EQ(s.cache().length(0), 70);
}

TEST_F(SavedSequence, EveryDamageIsFound) {
  Session s = session({.n_ctx = 128, .k_type = KVType::kQ4_0, .v_type = KVType::kQ4_0});
  ASSERT_TRUE(s.prefill(tokens(9)));
  hearth::testing::TempDir dir;
  const std::string path = dir.file("sequence");
  ASSERT_TRUE(s.save(0, path));
  auto saved = s.save(0);
  ASSERT_TRUE(saved);
  ASSERT_EQ(std::filesystem::file_size(path), saved->size());
  const std::vector<float> expected = go_on(s, 0);
  ASSERT_TRUE(s.cache().trim(0, 9));
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t i) {
    file.seekp(static_cast<std::streamoff>(i)).put(static_cast<char>((*saved)[i])).flush();
  };
  for (size_t i = 0; i < saved->size(); ++i) {
    (*saved)[i] ^= static_cast<std::byte>(1u << (i % 8));
    put(i);
    EXPECT_FALSE(s.restore(0, *saved)) << i;
    EXPECT_FALSE(s.restore(0, path)) << i;
    (*saved)[i] ^= static_cast<std::byte>(1u << (i % 8));
    put(i);
  }
  ASSERT_TRUE(file);
  ASSERT_TRUE(s.restore(0, path));  // whole again
  ASSERT_TRUE(s.cache().trim(0, 9));
  for (size_t n = saved->size(); n-- > 0;) {
    std::filesystem::resize_file(path, n);
    EXPECT_FALSE(s.restore(0, std::span(*saved).first(n))) << n;
    EXPECT_FALSE(s.restore(0, path)) << n;
  }
  EXPECT_EQ(go_on(s, 0), expected);
}

}  // namespace
