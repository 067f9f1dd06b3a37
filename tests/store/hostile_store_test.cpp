// Stores that are damaged, or made to lead elsewhere: what is wrong is named, and nothing else is hidden by it.
#include "store_world.h"

namespace hearth_store {
namespace {

class HostileStore : public ::testing::Test {
 protected:
  HostileStore() : own_(dir_.path() / "own"), folder_(dir_.path() / "ollama"), store_(own_.string()) {
    store_.add(Origin::kOllama, folder_.root().string());
  }
  std::string error_of(const std::string& name) const {
    const auto entry = store_.find(name);
    return entry ? "(found)" : entry.error().message;
  }

  hearth::testing::TempDir dir_;
  fs::path own_;
  BlobFolder folder_;
  Store store_;
};

TEST_F(HostileStore, DamagedManifestsAreNamed) {
  const Layer weights = folder_.weights();
  folder_.manifest("registry.ollama.ai/library/good/latest", {weights});
  folder_.text("registry.ollama.ai/library/broken/latest", "{\"layers\": [");
  folder_.text("registry.ollama.ai/library/empty/latest", "");
  folder_.manifest("registry.ollama.ai/library/nothing/latest", {});
  folder_.text("registry.ollama.ai/library/.DS_Store", "x");
  folder_.text(".DS_Store", "x");
  folder_.text("registry.ollama.ai/library/good/.hidden", "x");
  const Listing listing = store_.list();
  EXPECT_EQ("good:latest", names_of(listing));
  EXPECT_EQ(3u, listing.problems.size());
  EXPECT_NE(std::string::npos, error_of("broken").find("no JSON object"));
  EXPECT_NE(std::string::npos, error_of("nothing").find("names no weights"));
  EXPECT_NE(std::string::npos, error_of("absent").find("there is no model 'absent'"));
}

TEST_F(HostileStore, WrongDigestsAndSizesAreRefused) {
  const Layer weights = folder_.weights();
  Layer system = folder_.bytes("system", "Be kind.");
  folder_.manifest("registry.ollama.ai/library/changed/latest", {weights, system});
  ASSERT_TRUE(store_.find("changed"));
  BlobFolder::write(folder_.blob(system), "Be rude.");
  EXPECT_NE(std::string::npos, error_of("changed").find("not those of its digest"));
  BlobFolder::write(folder_.blob(system), "Be kind. And more.");
  EXPECT_NE(std::string::npos, error_of("changed").find("18 bytes, but the manifest says 8"));
  fs::remove(folder_.blob(system));
  EXPECT_NE(std::string::npos, error_of("changed").find("missing"));
  folder_.text(
      "registry.ollama.ai/library/up/latest",
      R"({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../../x", "size": 1}]})");
  EXPECT_NE(std::string::npos, error_of("up").find("no digest"));
}

TEST_F(HostileStore, WeightsAreComparedWithTheirDigestOnce) {
  const Layer weights = folder_.weights();
  folder_.manifest("registry.ollama.ai/library/m/latest", {weights});
  auto entry = store_.find("m");
  ASSERT_TRUE(entry);
  int calls = 0;
  const auto count = [&](uint64_t, uint64_t) { return ++calls, true; };
  ASSERT_TRUE(store_.check_weights(*entry, count));
  EXPECT_GT(calls, 0);
  calls = 0;
  ASSERT_TRUE(store_.check_weights(*entry, count));
  EXPECT_EQ(0, calls);  // it is remembered
  std::string bytes = hearth::testing::read_file(folder_.blob(weights));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  BlobFolder::write(folder_.blob(weights), bytes);
  const auto status = store_.check_weights(*entry, count);
  ASSERT_FALSE(status);
  EXPECT_NE(std::string::npos, status.error().message.find("m:latest")) << status.error().message;
  EXPECT_EQ(hearth::ErrorCode::kCancelled,
            store_.check_weights(*entry, [](uint64_t, uint64_t) { return false; }).error().code);
}

TEST_F(HostileStore, LinksThatLeaveTheStoreAreRefused) {
  const Layer weights = folder_.weights();
  const fs::path secret = dir_.path() / "secret";
  BlobFolder::write(secret, "secret");
  // A blob that is a link, with the right digest and size even.
  Layer system{"system", sha256_hex("secret"), 6, "", ""};
  fs::create_symlink(secret, folder_.blob(system));
  folder_.manifest("registry.ollama.ai/library/blob/latest", {weights, system});
  EXPECT_NE(std::string::npos, error_of("blob").find("leads out of the store"));
  // A manifest that is one.
  const fs::path outside = dir_.path() / "manifest";
  fs::copy_file(folder_.manifest("registry.ollama.ai/library/m/latest", {weights}), outside);
  fs::create_directories(folder_.root() / "manifests/registry.ollama.ai/library/link");
  fs::create_symlink(outside, folder_.root() / "manifests/registry.ollama.ai/library/link/latest");
  EXPECT_NE(std::string::npos, error_of("link").find("leads out of the store"));
  // One that stays inside is fine, and so is a store that is itself a link.
  fs::create_directories(folder_.root() / "manifests/registry.ollama.ai/library/inner");
  fs::create_symlink("../m/latest", folder_.root() / "manifests/registry.ollama.ai/library/inner/latest");
  EXPECT_EQ("(found)", error_of("inner"));
  fs::create_directory_symlink(folder_.root(), dir_.path() / "by-link");
  Store other;
  other.add(Origin::kOllama, (dir_.path() / "by-link").string());
  EXPECT_TRUE(other.find("m"));
}

TEST_F(HostileStore, NamesThatAreNoneAreNamedAndNotFollowed) {
  const Layer weights = folder_.weights();
  folder_.manifest("registry.ollama.ai/library/good/latest", {weights});
  folder_.manifest("registry.ollama.ai/library/bad\nname/latest", {weights});
  folder_.manifest("registry.ollama.ai/library/x/la\x1b[31mtest", {weights});
  const Listing listing = store_.list();
  EXPECT_EQ("good:latest", names_of(listing));
  ASSERT_EQ(2u, listing.problems.size());
  for (const Problem& problem : listing.problems)
    EXPECT_EQ(std::string::npos, problem.error.message.find_first_of("\n\x1b")) << problem.error.message;
  for (const char* name : {"../../../etc/passwd", "good/../../x", "good:../good", "a\nb", "registry/../x/y:z"})
    EXPECT_NE(std::string::npos, error_of(name).find("is no name of a model")) << name;
}

TEST_F(HostileStore, FoldersOfFilesDoNotLeadOutEither) {
  const fs::path lm = dir_.path() / "lmstudio", hub = dir_.path() / "hub";
  fs::create_directories(lm / "someone" / "Small-World-GGUF");
  fs::create_symlink(kSmallWorld, lm / "someone/Small-World-GGUF/small-world-Q8_0.gguf");
  const fs::path snapshot = hub / "models--someone--Other-GGUF/snapshots/abc";
  fs::create_directories(snapshot);
  fs::create_symlink(kSmallWorld, snapshot / "other-Q8_0.gguf");
  store_.add(Origin::kLmStudio, lm.string());
  store_.add(Origin::kHub, hub.string());
  const Listing listing = store_.list();
  EXPECT_EQ("", names_of(listing));
  EXPECT_NE(std::string::npos, problem_of(listing, "someone/Small-World-GGUF:Q8_0").find("leads out"));
  EXPECT_NE(std::string::npos, error_of("hf:someone/Other-GGUF:Q8_0").find("leads out"));
  const fs::path odd = lm / "someone" / "Odd" / "a\nb.gguf";
  BlobFolder::write(odd, "GGUF");
  EXPECT_EQ("", names_of(store_.list()));
  EXPECT_EQ(3u, store_.list().problems.size());
}

}  // namespace
}  // namespace hearth_store
