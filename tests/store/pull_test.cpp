// Pulls from servers on loopback: resumed wherever the connection was cut, and refused where a server lies.
#include "examples/store/pull.h"

#include <random>

#include "store_world.h"
#include "test_server.h"

namespace hearth_store {
namespace {

using Reply = TestServer::Reply;
using Request = TestServer::Request;

/// A registry's manifest over these layers.
std::string registry_manifest(const std::vector<Layer>& layers) {
  const std::string config = R"({"model_format":"gguf","model_family":"llama"})";
  Manifest manifest;
  manifest.config = {"config", sha256_hex(config), config.size(), "", ""};
  manifest.layers = layers;
  return manifest_text(manifest);
}

class Pull : public ::testing::Test {
 protected:
  Pull() : store_((dir_.path() / "own").string()), model_(hearth::testing::read_file(kSmallWorld)) {
    for (const char* name : {"HF_TOKEN", "HF_ENDPOINT", "HEARTH_REGISTRY_TOKEN", "http_proxy", "HTTP_PROXY"})
      ::unsetenv(name);
  }
  void SetUp() override {
    if (!can_fetch()) GTEST_SKIP() << "this build was made without libcurl";
  }
  static PullOptions quick() {
    PullOptions options;
    options.first_wait = 0.001;
    return options;
  }
  /// Blobs by their digests, and the manifest, as a registry serves them.
  Reply registry(const Request& request) const {
    if (request.path.find("/manifests/") != std::string::npos) return TestServer::file(request, manifest_);
    const size_t at = request.path.rfind("sha256:");
    if (at == std::string::npos) return {.status = 404};
    const auto blob = blobs_.find(request.path.substr(at + 7));
    return blob == blobs_.end() ? Reply{.status = 404} : TestServer::file(request, blob->second);
  }
  Layer serve(const std::string& kind, const std::string& bytes) {
    blobs_[sha256_hex(bytes)] = bytes;
    return {kind, sha256_hex(bytes), bytes.size(), "", ""};
  }
  void serve_model() {
    manifest_ =
        registry_manifest({serve("model", model_), serve("system", "Be kind."), serve("params", "{\"top_k\":5}"),
                           Layer{"projector", std::string(64, 'a'), 5, "", ""}});
    serve("config", R"({"model_format":"gguf","model_family":"llama"})");
  }
  /// Everything in the folder of blobs, by its ending.
  size_t n_blobs(const std::string& ending) const {
    size_t n = 0;
    std::error_code error;
    for (fs::directory_iterator it(dir_.path() / "own/blobs", error), end; !error && it != end; it.increment(error))
      n += it->path().string().ends_with(ending) ? 1 : 0;
    return n;
  }
  std::string error_of(const hearth::Result<Entry>& entry) const { return entry ? "(pulled)" : entry.error().message; }

  hearth::testing::TempDir dir_;
  Store store_;
  std::string model_, manifest_;
  std::map<std::string, std::string> blobs_;
};

TEST_F(Pull, FromARegistry) {
  serve_model();
  TestServer server([&](const Request& request) { return registry(request); });
  std::vector<std::string> states;
  PullOptions options = quick();
  options.progress = [&](const PullState& state) {
    if (states.empty() || states.back() != state.status) states.push_back(state.status);
    EXPECT_LE(state.done, std::max(state.total, state.done));
    return true;
  };
  const auto entry = pull(store_, server.host() + "/team/sw:v1", options);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(server.host() + "/team/sw:v1", entry->id.text());
  EXPECT_EQ(sha256_hex(manifest_), entry->digest);  // that of the registry's own manifest
  EXPECT_EQ("Be kind.", entry->system);
  EXPECT_EQ(5, entry->parameters["top_k"]);
  EXPECT_EQ(model_, hearth::testing::read_file(entry->path));
  EXPECT_EQ("pulling manifest", states.front());
  EXPECT_EQ("success", states.back());
  EXPECT_EQ(0u, n_blobs(".partial"));
  // Once more: nothing but the manifest is asked for.
  const size_t before = server.requests().size();
  ASSERT_TRUE(pull(store_, server.host() + "/team/sw:v1", quick()));
  EXPECT_EQ(before + 1, server.requests().size());
}

class SlowPull : public Pull {};

TEST_F(SlowPull, TwoHundredCutConnectionsEndInIdenticalBytes) {
  const std::string bytes = model_.substr(0, 100000);
  std::mt19937 dice(7);
  size_t n_cuts = 0;
  for (int run = 0; run < 200; ++run) {
    const Remote remote{.kind = "model", .digest = sha256_hex(bytes), .size = static_cast<int64_t>(bytes.size())};
    TestServer server([&](const Request& request) {
      const bool cut = dice() % 4 != 0;
      n_cuts += cut ? 1 : 0;
      return TestServer::file(request, bytes, cut ? dice() % (bytes.size() - request.offset()) : std::string::npos);
    });
    const Store store((dir_.path() / ("run" + std::to_string(run))).string());
    fs::create_directories(fs::path(store.own()) / "blobs");
    Remote one = remote;
    one.ask = {.url = server.url("/file"), .allow_plain = true};
    // Every other run is stopped on its way, as by Ctrl-C, and begun again.
    PullOptions options = quick();
    options.n_tries = 60;
    PullState state;
    if (run % 2 == 1) {
      const uint64_t enough = dice() % bytes.size();
      options.progress = [&](const PullState& now) { return now.done <= enough; };
      (void)download(store, one, options, state);
      options.progress = {};
    }
    const auto layer = download(store, one, options, state);
    ASSERT_TRUE(layer) << "run " << run << ": " << layer.error().message;
    ASSERT_EQ(bytes, hearth::testing::read_file(store.blob_path(one.digest))) << "run " << run;
    fs::remove_all(store.own());
  }
  EXPECT_GT(n_cuts, 200u);
}

TEST_F(Pull, AKilledPullLeavesNothingHalf) {
  serve_model();
  TestServer server([&](const Request& request) { return registry(request); });
  PullOptions options = quick();
  options.progress = [&](const PullState& state) { return state.done < 1000000; };
  const auto stopped = pull(store_, server.host() + "/team/sw", options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(hearth::ErrorCode::kCancelled, stopped.error().code);
  EXPECT_EQ("", names_of(store_.list()));
  EXPECT_EQ(1u, n_blobs(".partial"));
  ASSERT_TRUE(pull(store_, server.host() + "/team/sw", quick()));
  EXPECT_EQ(0u, n_blobs(".partial"));
  bool resumed = false;
  for (const auto& request : server.requests()) resumed = resumed || request.offset() > 0;
  EXPECT_TRUE(resumed);
}

TEST_F(Pull, ARegistryThatLiesIsRefused) {
  serve_model();
  enum { kTruth, kOtherBytes, kShorter, kLonger, kOtherRange, kManifestDigest, kEndless } lie = kTruth;
  TestServer server([&](const Request& request) {
    Reply reply = registry(request);
    const bool is_weights = request.path.find(sha256_hex(model_)) != std::string::npos;
    if (lie == kManifestDigest && request.path.find("/manifests/") != std::string::npos)
      reply.headers.push_back("Docker-Content-Digest: sha256:" + std::string(64, 'b'));
    if (!is_weights) return reply;
    if (lie == kOtherBytes) reply.body[reply.body.size() / 2] ^= 1;
    if (lie == kShorter) reply.body.resize(reply.body.size() - 1);
    if (lie == kLonger) reply.body += "x";
    if (lie == kOtherRange && request.offset() > 0)
      reply.headers = {"Content-Range: bytes 0-9/" + std::to_string(model_.size())};
    if (lie == kOtherRange && request.offset() == 0) reply.cut_after = 1000;
    if (lie == kEndless) reply.claimed_length = int64_t{1} << 40;
    return reply;
  });
  const std::pair<decltype(lie), const char*> cases[] = {{kOtherBytes, "not what was promised"},
                                                         {kShorter, "were promised"},
                                                         {kLonger, "were promised"},
                                                         {kOtherRange, "another part of the file"},
                                                         {kManifestDigest, "not the one that its digest names"},
                                                         {kEndless, "were promised"}};
  for (const auto& [what, words] : cases) {
    lie = what;
    const auto entry = pull(store_, server.host() + "/team/sw", quick());
    EXPECT_NE(std::string::npos, error_of(entry).find(words)) << error_of(entry);
    EXPECT_EQ("", names_of(store_.list()));
    EXPECT_FALSE(fs::exists(store_.blob_path(sha256_hex(model_))));
  }
  lie = kTruth;  // and nothing of the lies is left
  EXPECT_EQ("(pulled)", error_of(pull(store_, server.host() + "/team/sw", quick())));
}

TEST_F(Pull, ManifestsOfRegistriesAreHostile) {
  TestServer server([&](const Request& request) { return registry(request); });
  const auto with = [&](const std::string& manifest) {
    manifest_ = manifest;
    return error_of(pull(store_, server.host() + "/team/sw", quick()));
  };
  EXPECT_NE(std::string::npos, with("<html>").find("no JSON object"));
  EXPECT_NE(std::string::npos, with("{\"layers\": []}").find("no weights"));
  EXPECT_NE(std::string::npos, with(R"({"layers": [{"mediaType": "application/vnd.ollama.image.model", )"
                                    R"("digest": "sha256:../../../../tmp/x", "size": 5}]})")
                                   .find("is no digest"));
  EXPECT_NE(std::string::npos, with(std::string(2 << 20, 'x')).find("answers with more than"));
  serve("config", R"({"model_format":"gguf","model_family":"llama"})");
  const std::string text = "this is no model, but it is what was promised";
  EXPECT_NE(std::string::npos, with(registry_manifest({serve("model", text)})).find("what came is no model"));
  for (const char* name : {"/../x", "/a/../b", "/team/sw:../x"})
    EXPECT_NE("(pulled)", error_of(pull(store_, server.host() + name, quick()))) << name;
  EXPECT_EQ("", names_of(store_.list()));
}

TEST_F(Pull, TokensGoWhereTheyBelong) {
  serve_model();
  std::string host;
  TestServer other([&](const Request& request) { return registry(request); });  // where a redirect leads
  TestServer server([&](const Request& request) -> Reply {
    const auto header = request.headers.find("authorization");
    const std::string given = header == request.headers.end() ? "" : header->second;
    if (request.path.starts_with("/token"))
      return {.status = given == "Basic dXNlcjpzZWNyZXQ=" ? 200 : 401, .body = "{\"token\": \"T\"}"};
    if (given != "Bearer T") {
      return {.status = 401,
              .headers = {"WWW-Authenticate: Bearer realm=\"http://" + host + "/token\",service=\"s\",scope=\"a:b\""}};
    }
    if (request.path.find("/blobs/") != std::string::npos)
      return {.status = 307, .headers = {"Location: " + other.url(request.path)}};
    return registry(request);
  });
  host = server.host();
  EXPECT_NE(std::string::npos, error_of(pull(store_, host + "/team/sw", quick())).find("HEARTH_REGISTRY_TOKEN"));
  ::setenv("HEARTH_REGISTRY_TOKEN", "user:secret", 1);
  EXPECT_EQ("(pulled)", error_of(pull(store_, host + "/team/sw", quick())));
  for (const auto& request : other.requests()) EXPECT_FALSE(request.headers.contains("authorization"));
  EXPECT_FALSE(other.requests().empty());
  ::unsetenv("HEARTH_REGISTRY_TOKEN");
}

TEST_F(Pull, FromTheHub) {
  const std::string other = "GGUF, but of another kind";
  const auto lfs = [](const std::string& path, const std::string& bytes) {
    return R"({"type":"file","path":")" + path + R"(","size":)" + std::to_string(bytes.size()) +
           R"(,"oid":"0","lfs":{"oid":")" + sha256_hex(bytes) + R"(","size":)" + std::to_string(bytes.size()) + "}}";
  };
  std::string listing = "[" + lfs("small-Q8_0.gguf", model_) + "," + lfs("small-Q2_K.gguf", other) + "," +
                        lfs("mmproj-small.gguf", other) + R"(,{"type":"file","path":"README.md","size":5}])";
  TestServer server([&](const Request& request) -> Reply {
    if (request.path == "/api/models/org/Small-GGUF/tree/main?recursive=true")
      return TestServer::file(request, listing);
    if (request.path == "/org/Small-GGUF/resolve/main/small-Q8_0.gguf") return TestServer::file(request, model_);
    if (request.path.ends_with("Q2_K.gguf")) return TestServer::file(request, other);
    return {.status = 404};
  });
  ::setenv("HF_ENDPOINT", server.url("").c_str(), 1);
  ::setenv("HF_TOKEN", "secret", 1);
  const auto entry = pull(store_, "hf:org/Small-GGUF", quick());
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ("hf.co/org/Small-GGUF:Q8_0", entry->id.text());
  EXPECT_EQ(model_, hearth::testing::read_file(entry->path));
  EXPECT_EQ("llama", entry->config["model_family"]);
  for (const auto& request : server.requests()) EXPECT_EQ("Bearer secret", request.headers.at("authorization"));
  EXPECT_NE(std::string::npos, error_of(pull(store_, "hf:org/Small-GGUF:Q6_K", quick())).find("there is Q2_K, Q8_0"));
  EXPECT_NE(std::string::npos, error_of(pull(store_, "hf:org/Nothing", quick())).find("has no repository"));
  EXPECT_NE(std::string::npos, error_of(pull(store_, "hf:org/Small-GGUF:q2_k", quick())).find("what came is no model"));
  listing = "[" + lfs("../../x-Q8_0.gguf", model_) + "," + lfs("a/../b-Q8_0.gguf", model_) + "]";
  EXPECT_NE(std::string::npos, error_of(pull(store_, "hf:org/Small-GGUF", quick())).find("no files in GGUF"));
  listing = "[" + lfs("x-Q8_0-00001-of-00002.gguf", model_) + "]";
  EXPECT_NE(std::string::npos, error_of(pull(store_, "hf:org/Small-GGUF", quick())).find("2 parts, but"));
  ::unsetenv("HF_ENDPOINT");
  ::unsetenv("HF_TOKEN");
}

TEST_F(Pull, FromAnAddress) {
  std::string etag = "\"1\"", bytes = model_;
  size_t cut = 500000;
  TestServer server([&](const Request& request) {
    const auto if_range = request.headers.find("if-range");
    Request asked = request;
    if (if_range != request.headers.end() && if_range->second != etag) asked.headers.erase("range");
    Reply reply = TestServer::file(asked, bytes, cut);
    reply.headers.push_back("ETag: " + etag);
    return reply;
  });
  PullOptions once = quick();
  once.n_tries = 1;
  EXPECT_EQ("(pulled)", error_of(pull(store_, server.url("/some/model-Q8_0.gguf"), quick(), "mine")));
  EXPECT_EQ("mine:latest", names_of(store_.list()));
  ASSERT_TRUE(store_.remove("mine"));
  // Cut, and changed on the server before the rest is asked for: nothing of the first version is in the second.
  PullOptions stop = quick();
  stop.progress = [&](const PullState& state) { return state.done < 400000; };
  EXPECT_NE("(pulled)", error_of(pull(store_, server.url("/other.gguf"), stop)));
  etag = "\"2\"";
  bytes[20000] ^= 1;  // in the metadata's texts: it still opens
  cut = std::string::npos;
  const auto entry = pull(store_, server.url("/other.gguf"), quick());
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(bytes, hearth::testing::read_file(entry->path));
}

TEST_F(Pull, SaysWhatFailsInPlainWords) {
  EXPECT_NE(std::string::npos, error_of(pull(store_, "nowhere.invalid/a/b", quick())).find("is there a network?"));
  PullOptions once = quick();
  once.n_tries = 1;
  EXPECT_NE(std::string::npos, error_of(pull(store_, "http://127.0.0.1:1/a/b", once)).find("nobody answers at"));
  TestServer server(
      [](const Request&) -> Reply { return {.status = 404, .body = R"({"errors":[{"message":"unknown"}]})"}; });
  const auto missing = pull(store_, server.host() + "/a/b", once);
  EXPECT_EQ(hearth::ErrorCode::kNotFound, missing.error().code);
  EXPECT_NE(std::string::npos, error_of(missing).find("has no model")) << error_of(missing);
  // A redirect from https to http, or to another protocol, is not followed; this server's plain http leads to a file.
  TestServer to_file(
      [](const Request&) -> Reply { return {.status = 302, .headers = {"Location: file:///etc/passwd"}}; });
  EXPECT_NE("(pulled)", error_of(pull(store_, to_file.host() + "/a/b", once)));
}

}  // namespace
}  // namespace hearth_store
