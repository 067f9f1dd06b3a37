// Names, digests and what is refused as either.
#include "examples/store/name.h"

#include <gtest/gtest.h>

#include "examples/store/manifest.h"
#include "examples/store/sha256.h"

namespace hearth_store {
namespace {

TEST(Name, FillsInWhatIsLeftOut) {
  const struct {
    const char *text, *path, *shown;
  } cases[] = {
      {"qwen3", "registry.ollama.ai/library/qwen3/latest", "qwen3:latest"},
      {"qwen3:4b", "registry.ollama.ai/library/qwen3/4b", "qwen3:4b"},
      {"someone/x:v2", "registry.ollama.ai/someone/x/v2", "someone/x:v2"},
      {"models.example:5000/team/x", "models.example:5000/team/x/latest", "models.example:5000/team/x:latest"},
      {"hf:Owner/Repo-GGUF:Q4_K_M", "hf.co/Owner/Repo-GGUF/Q4_K_M", "hf.co/Owner/Repo-GGUF:Q4_K_M"},
      {"hf.co/Owner/Repo", "hf.co/Owner/Repo/latest", "hf.co/Owner/Repo:latest"},
      {"https://huggingface.co/Owner/Repo", "hf.co/Owner/Repo/latest", "hf.co/Owner/Repo:latest"},
  };
  for (const auto& one : cases) {
    const auto name = ModelName::parse(one.text);
    ASSERT_TRUE(name) << one.text << ": " << name.error().message;
    EXPECT_EQ(one.path, name->path());
    EXPECT_EQ(one.shown, name->text());
    EXPECT_TRUE(ModelName::parse(name->text())->is_same(*name));
  }
}

TEST(Name, RefusesWhatCouldLeadElsewhere) {
  for (const char* text : {"",     "..",     "../x", "a/../b",    "a/b/../c",    "/etc/passwd", "a//b", "x:",
                           ":x",   "x:../y", "x\ny", "x\x1b[31m", "a b",         "a/b/c/d",     "-x",   ".x",
                           "x:-v", "x\\y",   "hf:x", "hf:a/b/c",  "caf\xc3\xa9", "x:a/b"}) {
    const auto name = ModelName::parse(text);
    EXPECT_FALSE(name) << text;
    const std::string message = name ? "" : name.error().message;
    EXPECT_EQ(std::string::npos, message.find_first_of("\n\x1b")) << message;
  }
  EXPECT_FALSE(ModelName::parse(std::string(97, 'x')));
  EXPECT_FALSE(ModelName::parse(std::string_view("a\0b", 3)));
}

TEST(Name, CaseTellsNothingApart) {
  EXPECT_TRUE(ModelName::parse("Mixed/CaseName:V1")->is_same(*ModelName::parse("mixed/casename:v1")));
  EXPECT_FALSE(ModelName::parse("x:1")->is_same(*ModelName::parse("x:2")));
}

TEST(Sha256, IsThatOfTheStandard) {
  // FIPS 180-4's examples, and the empty text.
  EXPECT_EQ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sha256_hex("abc"));
  EXPECT_EQ("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
  EXPECT_EQ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", sha256_hex(""));
  EXPECT_EQ("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", sha256_hex(std::string(1000000, 'a')));
  Sha256 pieces;
  for (int i = 0; i < 1000; ++i) pieces.add(std::string(1000, 'a').data(), 1000);
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')), pieces.hex());
}

TEST(Digest, IsReadStrictly) {
  const std::string hex(64, 'a');
  EXPECT_EQ(hex, digest_hex("sha256:" + hex));
  EXPECT_EQ(hex, digest_hex("sha256-" + hex));
  EXPECT_EQ(hex, digest_hex("sha256:" + std::string(64, 'A')));
  for (const std::string& text : {hex, "sha256:" + hex + "a", "sha256:" + std::string(63, 'a') + "g", "md5:" + hex,
                                  "sha256:../../" + std::string(58, 'a'), std::string()})
    EXPECT_FALSE(digest_hex(text)) << text;
}

TEST(Manifest, IsNotBelieved) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto with = [&](const std::string& layers) { return parse_manifest("{\"layers\": " + layers + "}"); };
  const std::string good = "[{\"mediaType\": \"application/vnd.ollama.image.model\", \"digest\": \"" + digest + "\", ";
  ASSERT_TRUE(with(good + "\"size\": 5}]"));
  EXPECT_EQ("model", with(good + "\"size\": 5}]")->layers[0].kind);
  for (const char* size : {"-1", "1.5", "\"5\"", "1e300", "99999999999999999999", "4611686018427387904", "null"})
    EXPECT_FALSE(with(good + "\"size\": " + size + "}]")) << size;
  for (const char* text : {"", "[]", "{", "{\"layers\": 5}", "{\"layers\": [5]}", "{\"layers\": [{}]}", "null"})
    EXPECT_FALSE(parse_manifest(text)) << text;
  std::string deep(100000, '[');
  EXPECT_FALSE(parse_manifest("{\"layers\": " + deep));
  EXPECT_FALSE(with("[{\"digest\": \"sha256:../../../../etc/passwd\", \"size\": 1}]"));
}

}  // namespace
}  // namespace hearth_store
