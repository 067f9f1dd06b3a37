// Adapters chosen by requests and for all of them.
#include <filesystem>
#include <fstream>

#include "lib/arch/architecture.h"
#include "server_world.h"
#include "support/adapter_file.h"
#include "support/family_model.h"

namespace hearth_server {
namespace {

class ServerAdapters : public ::testing::Test {
 protected:
  void SetUp() override {
    hearth::testing::TinyModel shape;
    shape.architecture = "llama";
    shape.tensors.clear();
    for (const int layer : {0, 3}) shape.add("blk." + std::to_string(layer) + ".ffn_down.weight", {512, 256});
    const auto bytes = hearth::testing::AdapterFile(shape, 4).gguf();
    path_ = std::filesystem::temp_directory_path() / ("hearth_adapter_" + std::to_string(::getpid()) + ".gguf");
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(store_.add_file(kSmallWorld));
    ServerOptions options;
    options.port = 0;
    options.log = LogLevel::kNone;
    options.models.session.n_seqs = 2;
    options.models.session.n_ctx = 128;
    options.models.session.n_threads = 1;
    options.models.loras = {{path_.string(), 0.0f}};
    server_ = std::make_unique<Server>(store_, options);
    ASSERT_TRUE(server_->start());
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove(path_);
  }

  Answer call(const std::string& method, const std::string& path, const Json& body) {
    Client client(server_->port());
    const std::string text = body.is_null() ? "" : body.dump();
    client.send(method + " " + path +
                " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(text.size()) + "\r\n\r\n" + text);
    return client.receive();
  }
  std::string write(const Json& lora) {
    Json body = {{"prompt", "One day a girl named Anna went to the park. She"}, {"n_predict", 20}, {"temperature", 0}};
    if (!lora.is_null()) body["lora"] = lora;
    return call("POST", "/completion", body).json()["content"];
  }

  std::filesystem::path path_;
  ModelStore store_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerAdapters, AreChosenByRequestAndForAll) {
  const Json strong = Json::array({{{"id", 0}, {"scale", 60}}});
  const std::string plain = write(nullptr), changed = write(strong);
  EXPECT_NE(plain, changed);
  EXPECT_EQ(write(nullptr), plain);
  Json list = call("GET", "/lora-adapters", nullptr).json();
  EXPECT_EQ(list[0]["path"], path_.string());
  EXPECT_EQ(list[0]["scale"], 0);
  EXPECT_EQ(call("POST", "/lora-adapters", strong).status, 200);
  EXPECT_EQ(call("GET", "/lora-adapters", nullptr).json()[0]["scale"], 60);
  EXPECT_EQ(write(nullptr), changed);
  EXPECT_EQ(write(Json::array()), plain);
  EXPECT_EQ(call("POST", "/lora-adapters", Json::array()).status, 200);
  EXPECT_EQ(write(nullptr), plain);
  EXPECT_EQ(call("POST", "/lora-adapters", Json::array({{{"id", 1}, {"scale", 1}}})).status, 400);
  EXPECT_EQ(call("POST", "/completion", {{"prompt", "x"}, {"lora", {{{"id", 7}, {"scale", 1}}}}}).status, 400);
}

/// Vectors change with the scales, too.
TEST(ServerEmbeddingAdapters, AreChosenForAll) {
  const hearth::testing::TempDir dir;
  hearth::testing::FamilyModel family(*hearth::find_architecture("bert"), {.biases = true, .all_kv_heads = true});
  const auto write = [&](const char* name, const std::vector<std::byte>& bytes) {
    dir.write(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  };
  write("vectors.gguf", family.gguf());
  write("lora.gguf", hearth::testing::AdapterFile(family.tiny, 3).gguf());
  ModelStore store;
  ASSERT_TRUE(store.add_file(dir.file("vectors.gguf")));
  ServerOptions options = ServerTest::options();
  options.models.loras = {{dir.file("lora.gguf"), 0.0f}};
  Server server(store, options);
  ASSERT_TRUE(server.start());
  const auto post = [&](const std::string& path, const Json& body) {
    Client client(server.port());
    client.send(request_text("POST", path, body.dump()));
    return client.receive();
  };
  const auto vector = [&]() -> Json {
    const Answer answer = post("/v1/embeddings", {{"input", {{1, 5, 9, 2}}}});
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json()["data"][0]["embedding"];
  };
  const Json plain = vector();
  ASSERT_EQ(plain.size(), static_cast<size_t>(hearth::testing::FamilyModel::kWidth));
  EXPECT_EQ(post("/lora-adapters", {{{"id", 0}, {"scale", 1.5}}}).status, 200);
  const Json changed = vector();
  EXPECT_NE(changed, plain);
  EXPECT_EQ(vector(), changed);
  EXPECT_EQ(post("/lora-adapters", {{{"id", 3}, {"scale", 1.5}}}).status, 400);
  EXPECT_EQ(vector(), changed);
  EXPECT_EQ(post("/lora-adapters", Json::array()).status, 200);
  EXPECT_EQ(vector(), plain);
}

}  // namespace
}  // namespace hearth_server
