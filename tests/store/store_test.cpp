// The store as people use it: what others have fetched, each model once; copies, imports, removal.
#include "store_world.h"

namespace hearth_store {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() : store_((dir_.path() / "own").string()) {}
  /// A copy, as a download is: not the same inode.
  static void put_model(const fs::path& path) {
    fs::create_directories(path.parent_path());
    fs::copy_file(kSmallWorld, path);
  }
  size_t n_blobs() const {
    std::error_code error;
    const fs::directory_iterator begin(dir_.path() / "own" / "blobs", error);
    return static_cast<size_t>(std::distance(begin, fs::directory_iterator()));
  }

  hearth::testing::TempDir dir_;
  Store store_;
};

TEST_F(StoreTest, FoldersOfLmStudioAndTheHubAreReadInPlace) {
  const fs::path lm = dir_.path() / "lmstudio", hub = dir_.path() / "hub";
  put_model(lm / "someone/Small-World-GGUF/small-world-Q8_0.gguf");
  BlobFolder::write(lm / "someone/Small-World-GGUF/mmproj-small.gguf", "no model by itself");
  BlobFolder::write(lm / "someone/Big-GGUF/big-Q4_K_M-00001-of-00002.gguf", "first");
  BlobFolder::write(lm / "someone/Big-GGUF/big-Q4_K_M-00002-of-00002.gguf", "second");
  // The hub's cache: blobs by digest, snapshots of links, refs/main names the newest.
  const std::string text = "GGUF of another model";
  const fs::path repository = hub / "models--org--Model-GGUF";
  BlobFolder::write(repository / "blobs" / sha256_hex(text), text);
  BlobFolder::write(repository / "refs/main", "rev2");
  for (const char* revision : {"rev1", "rev2"}) {
    fs::create_directories(repository / "snapshots" / revision);
    fs::create_symlink("../../blobs/" + sha256_hex(text), repository / "snapshots" / revision / "model.Q5_K_M.gguf");
  }
  store_.add(Origin::kLmStudio, lm.string());
  store_.add(Origin::kHub, hub.string());
  EXPECT_EQ("hf.co/org/Model-GGUF:Q5_K_M someone/Big-GGUF:Q4_K_M someone/Small-World-GGUF:Q8_0",
            names_of(store_.list()));
  EXPECT_EQ(11u, store_.find("someone/Big-GGUF")->bytes);
  const auto entry = store_.find("hf:org/model-gguf");
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(sha256_hex(text), entry->weights_digest);
  EXPECT_TRUE(store_.find("org/Model-GGUF:q5_k_m"));
  EXPECT_TRUE(store_.check_weights(*entry));
}

TEST_F(StoreTest, TheSameFileIsShownOnce) {
  const fs::path lm = dir_.path() / "lmstudio", hub = dir_.path() / "hub", files = dir_.path() / "files";
  BlobFolder ollama(dir_.path() / "ollama");
  ollama.manifest("registry.ollama.ai/library/small/latest", {ollama.weights()});
  ollama.manifest("registry.ollama.ai/library/small/copy", {ollama.weights()});
  put_model(lm / "someone/Small-World-GGUF/small-world-Q8_0.gguf");
  const fs::path repository = hub / "models--someone--Small-World-GGUF";
  const std::string digest = sha256_hex(hearth::testing::read_file(kSmallWorld));
  put_model(repository / "blobs" / digest);
  fs::create_directories(repository / "snapshots/r");
  fs::create_symlink("../../blobs/" + digest, repository / "snapshots/r/small-world-Q8_0.gguf");
  fs::create_directories(files);
  fs::create_hard_link(repository / "blobs" / digest, files / "mine.gguf");
  store_.add(Origin::kOllama, ollama.root().string());
  store_.add(Origin::kLmStudio, lm.string());
  store_.add(Origin::kHub, hub.string());
  store_.add(Origin::kFolder, files.string());
  // Ollama's two names are two because somebody made them; the three files are others of the same bytes.
  const Listing listing = store_.list();
  EXPECT_EQ("small:copy small:latest", names_of(listing));
  size_t n_also = 0;
  for (const Entry& entry : listing.entries) n_also += entry.also.size();
  EXPECT_EQ(3u, n_also);
  for (const char* name : {"someone/Small-World-GGUF", "hf:someone/Small-World-GGUF:Q8_0", "mine"})
    EXPECT_TRUE(store_.find(name)) << name;
}

TEST_F(StoreTest, ImportCopyAndRemove) {
  const auto entry = store_.import(kSmallWorld, *ModelName::parse("small:q8"));
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(Origin::kOwn, entry->origin);
  EXPECT_EQ("llama", entry->config["model_family"]);
  EXPECT_EQ(hearth::testing::read_file(kSmallWorld), hearth::testing::read_file(entry->path));
  EXPECT_EQ(2u, n_blobs());
  ASSERT_TRUE(store_.copy("small:q8", "someone/else"));
  EXPECT_EQ("small:q8 someone/else:latest", names_of(store_.list()));
  EXPECT_EQ(2u, n_blobs());  // nothing was copied
  ASSERT_TRUE(store_.remove("SMALL:Q8"));
  EXPECT_EQ("someone/else:latest", names_of(store_.list()));
  EXPECT_EQ(2u, n_blobs());
  ASSERT_TRUE(store_.remove("someone/else"));
  EXPECT_EQ("", names_of(store_.list()));
  EXPECT_EQ(0u, n_blobs());
  EXPECT_TRUE(fs::is_empty(fs::path(store_.own()) / "manifests"));
  EXPECT_EQ(hearth::ErrorCode::kNotFound, store_.remove("someone/else").error().code);
}

TEST_F(StoreTest, ImportRefusesWhatIsNoModel) {
  const std::string text = dir_.write("text.gguf", "no model");
  EXPECT_FALSE(store_.import(text, *ModelName::parse("x")));
  std::string bytes = hearth::testing::read_file(kSmallWorld);
  EXPECT_FALSE(store_.import(dir_.write("half.gguf", bytes.substr(0, bytes.size() / 2)), *ModelName::parse("x")));
  EXPECT_EQ("", names_of(store_.list()));
  EXPECT_EQ(0u, n_blobs());
}

TEST_F(StoreTest, OthersStoresAreOnlyRead) {
  BlobFolder ollama(dir_.path() / "ollama");
  ollama.manifest("registry.ollama.ai/library/small/latest", {ollama.weights(), ollama.bytes("system", "Be kind.")});
  store_.add(Origin::kOllama, ollama.root().string());
  const auto refused = store_.remove("small");
  ASSERT_FALSE(refused);
  EXPECT_EQ(hearth::ErrorCode::kUnsupported, refused.error().code);
  const auto copied = store_.copy("small", "mine");
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ("Be kind.", copied->system);
  EXPECT_EQ("mine:latest small:latest", names_of(store_.list()));
  // The weights are found in the other store by their digest, and are gone with it, which is said.
  fs::remove_all(ollama.root());
  const auto gone = store_.find("mine");
  ASSERT_FALSE(gone);
  EXPECT_NE(std::string::npos, gone.error().message.find("missing"));
  EXPECT_TRUE(store_.remove("mine"));
  EXPECT_EQ("", names_of(store_.list()));
}

TEST_F(StoreTest, ANameGivenAgainFreesWhatItNeeded) {
  ASSERT_TRUE(store_.import(kSmallWorld, *ModelName::parse("m")));
  const auto layer = store_.find("m")->manifest.layers[0];
  Manifest manifest = store_.find("m")->manifest;
  const auto first = store_.add_bytes("system", "first");
  manifest.layers = {layer, *first};
  ASSERT_TRUE(store_.put(*ModelName::parse("M"), manifest));  // the same name
  manifest.layers = {layer, *store_.add_bytes("system", "second")};
  ASSERT_TRUE(store_.put(*ModelName::parse("m"), manifest));
  EXPECT_EQ("second", store_.find("m")->system);
  EXPECT_FALSE(fs::exists(store_.blob_path(first->digest)));
  EXPECT_EQ(1u, store_.list().entries.size());
}

TEST_F(StoreTest, QuantizationsAreReadFromNames) {
  const std::pair<const char*, const char*> cases[] = {{"Qwen3-4B-Q4_K_M", "Q4_K_M"}, {"model.Q5_K_S", "Q5_K_S"},
                                                       {"x-IQ2_XXS", "IQ2_XXS"},      {"gemma-3-1b-it-f16", "F16"},
                                                       {"small-world-q8_0", "Q8_0"},  {"plain", ""},
                                                       {"q4ever-model", ""}};
  for (const auto& [stem, wanted] : cases)
    EXPECT_EQ(*wanted == '\0' ? "latest" : wanted, name_of_file(std::string(stem) + ".gguf").tag) << stem;
  EXPECT_EQ("Qwen3-4B", name_of_file("/x/Qwen3-4B-Q4_K_M.gguf").model);
}

}  // namespace
}  // namespace hearth_store
