// Files that clients upload, and models that are made of them.
#include <filesystem>
#include <thread>

#include "../convert/family_folders.h"
#include "examples/store/sha256.h"
#include "hearth/quantizer.h"
#include "server_world.h"

namespace hearth_server {
namespace {

namespace fs = std::filesystem;
using hearth_store::sha256_hex;

constexpr const char* kSum = "What is 71 plus 11?";

class Uploads : public ServerTest {
 protected:
  static std::string route(const std::string& bytes) { return "/api/blobs/sha256:" + sha256_hex(bytes); }
  static int upload(const std::string& bytes) { return ask("POST", route(bytes), bytes).status; }
  static std::string digest(const std::string& bytes) { return "sha256:" + sha256_hex(bytes); }
  static const std::string& small_world() {
    static const std::string bytes = hearth::testing::read_file(kSmallWorld);
    return bytes;
  }
  /// A file of floats with a few tensors, quick to quantize.
  static std::string floats() {
    const hearth::testing::TempDir dir;
    hearth::QuantizeOptions options;
    options.type = "F16";
    options.requantize = true;
    auto quantizer = hearth::Quantizer::open(kSmallWorld, options);
    EXPECT_TRUE(quantizer);
    EXPECT_TRUE(quantizer->run(dir.file("f16.gguf")));
    return hearth::testing::read_file(dir.file("f16.gguf"));
  }
  static Answer head(const std::string& path) {
    Client client(port());
    client.send(request_text("HEAD", path));
    return {client.SocketClient::receive(true)};
  }
  static std::string answer_of(const std::string& model) {
    Json body = chat(kSum);
    body["model"] = model;
    return post("/v1/chat/completions", body).json()["choices"][0]["message"]["content"];
  }
  /// What is left of work, once every request has ended.
  static size_t n_unfinished() {
    for (int i = 0;; ++i) {
      size_t n = 0;
      std::error_code error;
      for (fs::directory_iterator it(fs::path(own_->file("models")) / "work", error), end; !error && it != end;
           it.increment(error))
        ++n;
      if (n == 0 || i == 100) return n;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
};

TEST_F(Uploads, ABlobAppearsWhenItIsWhole) {
  const std::string bytes = "a few bytes of " + std::string(100000, 'x');
  EXPECT_EQ(404, head(route(bytes)).status);
  EXPECT_EQ(201, upload(bytes));
  EXPECT_EQ(200, head(route(bytes)).status);
  EXPECT_EQ(bytes, hearth::testing::read_file(store_->store().blob_path(sha256_hex(bytes)).string()));
  EXPECT_EQ(200, upload(bytes));
  EXPECT_EQ(405, ask("GET", route(bytes)).status);
  EXPECT_EQ(0u, n_unfinished());
  // In chunks, as clients send what they read from a pipe; and nothing at all.
  const std::string other = "in two pieces";
  Client client(port());
  client.send("POST " + route(other) + " HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
              "6\r\nin two\r\n7\r\n pieces\r\n0\r\n\r\n");
  EXPECT_EQ(201, client.receive().status);
  client.send(request_text("GET", "/health"));  // the connection goes on
  EXPECT_EQ(200, client.receive().status);
  EXPECT_EQ(201, upload(""));
}

TEST_F(Uploads, WhatIsNotItsDigestStaysNowhere) {
  const std::string bytes(300000, 'y');
  const Answer wrong = ask("POST", route(bytes), bytes + "z");
  EXPECT_EQ(400, wrong.status);
  EXPECT_NE(std::string::npos, wrong.json()["error"].get<std::string>().find("digest mismatch")) << wrong.body;
  EXPECT_EQ(404, head(route(bytes)).status);
  EXPECT_EQ(404, head(route(bytes + "z")).status);
  for (const char* path : {"/api/blobs/abc", "/api/blobs/sha256:../../x", "/api/blobs/sha256-",
                           "/api/blobs/sha256:zz00000000000000000000000000000000000000000000000000000000000000"}) {
    EXPECT_EQ(400, ask("POST", path, "abc").status) << path;
    EXPECT_EQ(400, head(path).status) << path;
  }
  {
    Client client(port());  // leaves in the middle
    client.send("POST " + route(bytes) + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 300000\r\n\r\n" +
                bytes.substr(0, 200000));
  }
  EXPECT_EQ(0u, n_unfinished());
  EXPECT_EQ(404, head(route(bytes)).status);
  EXPECT_EQ(201, upload(bytes));
}

TEST_F(Uploads, AFileBecomesAModel) {
  ASSERT_EQ(201, upload(small_world()));
  const Json body = {{"model", "mine:v1"},
                     {"files", {{"small-world.gguf", digest(small_world())}}},
                     {"parameters", {{"num_predict", 3}, {"temperature", 0}}},
                     {"system", "Be kind."}};
  const Answer made = post("/api/create", body);
  EXPECT_EQ(200, made.status);
  EXPECT_TRUE(made.body.ends_with("{\"status\":\"success\"}\n")) << made.body;
  const Json shown = post("/api/show", {{"model", "mine:v1"}}).json();
  EXPECT_EQ("Be kind.", shown["system"]);
  EXPECT_EQ("Q8_0", shown["details"]["quantization_level"]);
  EXPECT_EQ("length",
            post("/api/generate", {{"model", "mine:v1"}, {"prompt", kSum}, {"stream", false}}).json()["done_reason"]);
  Json plain = body;
  plain.erase("system");
  plain.erase("parameters");
  plain["stream"] = false;
  EXPECT_EQ("success", post("/api/create", plain).json()["status"]);
  EXPECT_EQ(answer_of("small-world-q8_0"), answer_of("mine:v1"));
  EXPECT_EQ(200, ask("DELETE", "/api/delete", R"({"model": "mine:v1"})").status);
  EXPECT_EQ(404, head(route(small_world())).status);
  EXPECT_EQ(0u, n_unfinished());
}

TEST_F(Uploads, FloatsAreQuantizedAndPartsAreJoined) {
  const std::string bytes = floats();
  ASSERT_EQ(201, upload(bytes));
  Json body = {{"model", "smaller"}, {"files", {{"f16.gguf", digest(bytes)}}}, {"quantize", "q4_K_M"}};
  Answer made = post("/api/create", body);
  EXPECT_NE(std::string::npos, made.body.find("quantizing model to q4_K_M")) << made.body;
  EXPECT_TRUE(made.body.ends_with("{\"status\":\"success\"}\n")) << made.body;
  EXPECT_EQ("Q4_K_M", post("/api/show", {{"model", "smaller"}}).json()["details"]["quantization_level"]);
  EXPECT_FALSE(answer_of("smaller").empty());
  // The same of a model that is there, and again from there, which would lose more.
  EXPECT_EQ(200, post("/api/create", {{"model", "floats"}, {"files", {{"f16.gguf", digest(bytes)}}}}).status);
  made = post("/api/create", {{"model", "again"}, {"from", "floats"}, {"quantize", "q8_0"}});
  EXPECT_TRUE(made.body.ends_with("{\"status\":\"success\"}\n")) << made.body;
  EXPECT_EQ("Q8_0", post("/api/show", {{"model", "again"}}).json()["details"]["quantization_level"]);
  made = post("/api/create", {{"model", "worse"}, {"from", "again"}, {"quantize", "q4_0"}});
  EXPECT_NE(std::string::npos, made.body.find("\"error\"")) << made.body;
  // A split model comes as its files.
  const hearth::testing::TempDir dir;
  hearth::QuantizeOptions options;
  options.type = "COPY";
  options.split_bytes = 2 << 20;
  auto quantizer = hearth::Quantizer::open(kSmallWorld, options);
  ASSERT_TRUE(quantizer);
  const auto report = quantizer->run(dir.file("part"));
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_GT(report->paths.size(), 1u);
  Json files = Json::object();
  for (const std::string& path : report->paths) {
    const std::string part = hearth::testing::read_file(path);
    EXPECT_EQ(201, upload(part));
    files[fs::path(path).filename().string()] = digest(part);
  }
  made = post("/api/create", {{"model", "joined"}, {"files", files}});
  EXPECT_TRUE(made.body.ends_with("{\"status\":\"success\"}\n")) << made.body;
  EXPECT_EQ(answer_of("small-world-q8_0"), answer_of("joined"));
  files.erase(files.begin());
  made = post("/api/create", {{"model", "half"}, {"files", files}});
  EXPECT_NE(std::string::npos, made.body.find("\"error\"")) << made.body;
  EXPECT_EQ(404, post("/api/show", {{"model", "half"}}).status);
  EXPECT_EQ(0u, n_unfinished());
}

TEST_F(Uploads, AFolderOfSafetensorsIsConverted) {
  const hearth::testing::TempDir dir;
  const auto& llama = hearth::testing::decoder_cases().front();
  hearth::testing::write_folder(dir, hearth::testing::config_of(llama), hearth::testing::decoder_tensors(llama));
  Json files = Json::object();
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    const std::string bytes = hearth::testing::read_file(entry.path().string());
    EXPECT_EQ(201, upload(bytes)) << entry.path();
    files[entry.path().filename().string()] = digest(bytes);
  }
  Answer made = post("/api/create", {{"model", "converted"}, {"files", files}});
  EXPECT_TRUE(made.body.ends_with("{\"status\":\"success\"}\n")) << made.body;
  EXPECT_EQ(200, post("/api/generate", {{"model", "converted"},
                                        {"prompt", "a"},
                                        {"raw", true},
                                        {"stream", false},
                                        {"options", {{"num_predict", 2}}}})
                     .status);
  files.erase("config.json");
  made = post("/api/create", {{"model", "nothing"}, {"files", files}});
  const std::string message = Json::parse(made.body.substr(made.body.rfind("\n{") + 1), nullptr, false)["error"];
  EXPECT_NE(std::string::npos, message.find("config.json")) << made.body;
  EXPECT_EQ(std::string::npos, message.find(own_->path().string())) << message;  // no places of this machine
}

/// An adapter as PEFT writes it, made for the base that it is put on.
TEST_F(Uploads, AnAdapterOfSafetensorsIsConverted) {
  using hearth::testing::FolderTensor;
  const auto send = [](const std::string& bytes) {
    EXPECT_LT(upload(bytes), 300);
    return digest(bytes);
  };
  const std::string q = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  const auto model = hearth::Model::open(kSmallWorld);
  ASSERT_TRUE(model);
  const int64_t width = model->info().d_model;
  const std::string config = send(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 64})"),
                    pair = send(hearth::testing::safetensors_file(
                        {FolderTensor{q + "A.weight", {2, width}}, FolderTensor{q + "B.weight", {width, 2}}}));
  Json body = {{"model", "tuned"},
               {"from", "small-world-q8_0"},
               {"adapters", {{"adapter_config.json", config}, {"adapter_model.safetensors", pair}}}};
  Answer made = post("/api/create", body);
  EXPECT_TRUE(made.body.ends_with("{\"status\":\"success\"}\n")) << made.body;
  EXPECT_NE(std::string::npos, made.body.find("converting adapter")) << made.body;
  EXPECT_NE(answer_of("tuned"), answer_of("small-world-q8_0"));
  // The same beside weights that are uploaded with it.
  Json both = {{"model", "both"},
               {"files", {{"small-world.gguf", send(small_world())}}},
               {"adapters", body["adapters"]},
               {"stream", false}};
  EXPECT_EQ("success", post("/api/create", both).json()["status"]);
  EXPECT_EQ(answer_of("both"), answer_of("tuned"));
  const auto refused = [&](const Json& adapters, int status, const char* word) {
    const Answer answer =
        post("/api/create", {{"model", "no"}, {"from", "small-world-q8_0"}, {"adapters", adapters}, {"stream", false}});
    EXPECT_EQ(status, answer.status) << answer.body;
    EXPECT_NE(std::string::npos, answer.body.find(word)) << answer.body;
    EXPECT_EQ(std::string::npos, answer.body.find(own_->path().string())) << answer.body;
    EXPECT_EQ(404, post("/api/show", {{"model", "no"}}).status);
  };
  refused({{"adapter_model.safetensors", pair}}, 404, "adapter_config.json");
  refused({{"adapter_config.json", config}, {"other.safetensors", pair}}, 404, "adapter_model.safetensors");
  refused({{"adapter_config.json", config}, {"adapter_model.safetensors", config}}, 400, "adapter_model.safetensors");
  const std::string dora = send(R"({"r": 2, "lora_alpha": 64, "use_dora": true})");
  refused({{"adapter_config.json", dora}, {"adapter_model.safetensors", pair}}, 403, "use_dora");
  for (const char* name : {"tuned", "both"})
    EXPECT_EQ(200, ask("DELETE", "/api/delete", Json({{"model", name}}).dump()).status);
  EXPECT_EQ(0u, n_unfinished());
}

TEST_F(Uploads, WrongFilesAreRefusedBeforeAnyWork) {
  const std::string bytes = "no model at all";
  upload(bytes);
  const std::string absent = digest("never sent");
  const auto status = [](const Json& files, Json more = Json::object()) {
    Json body = {{"model", "wrong"}, {"files", files}};
    body.update(more);
    return post("/api/create", body).status;
  };
  EXPECT_EQ(404, status({{"a.gguf", absent}}));
  for (const char* name : {"../a.gguf", "/etc/passwd", "", ".hidden", "a\nb.gguf", "a/b.gguf"})
    EXPECT_EQ(400, status({{name, digest(bytes)}})) << name;
  EXPECT_EQ(400, status({{"a.gguf", "sha256:../../x"}}));
  EXPECT_EQ(400, status({{"a.gguf", 5}}));
  EXPECT_EQ(400, status(Json::array({"a"})));
  EXPECT_EQ(400, status({{"a.gguf", digest(bytes)}}, {{"quantize", "q99"}}));
  EXPECT_EQ(400, status({{"a.gguf", digest(bytes)}}, {{"parameters", {{"temprature", 1}}}}));
  EXPECT_EQ(400, status({{"a.gguf", digest(bytes)}}, {{"stream", false}}));  // which is no GGUF file
  EXPECT_EQ(400, status({{"a.gguf", digest(bytes)}, {"b.gguf", digest(bytes)}}, {{"stream", false}}));
  EXPECT_EQ(404, post("/api/show", {{"model", "wrong"}}).status);
}

TEST_F(Uploads, ManyAtOnceDoNotMeet) {
  const auto make = [](int i) {
    const Json made = post("/api/create", {{"model", "variant-" + std::to_string(i)},
                                           {"from", "small-world-q8_0"},
                                           {"system", "Number " + std::to_string(i)},
                                           {"stream", false}})
                          .json();
    EXPECT_EQ("success", made["status"]) << made;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(make, i);
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 8; ++i) {
    const std::string name = "variant-" + std::to_string(i);
    EXPECT_EQ("Number " + std::to_string(i), post("/api/show", {{"model", name}}).json()["system"]);
    EXPECT_EQ(200, ask("DELETE", "/api/delete", Json({{"model", name}}).dump()).status);
  }
}

TEST(UploadLimits, LongFilesAreRefused) {
  const hearth::testing::TempDir dir;
  ModelStore store{hearth_store::Store(dir.file("models"))};
  ASSERT_TRUE(store.add_file(kSmallWorld));
  ServerOptions options = ServerTest::options();
  options.limits.max_upload = 1000;
  options.limits.max_body = 100;  // which does not count here
  Server server(store, options);
  ASSERT_TRUE(server.start());
  const auto status = [&](const std::string& bytes, bool chunked) {
    Client client(server.port());
    const std::string path = "/api/blobs/sha256:" + sha256_hex(bytes);
    if (!chunked) {
      client.send(request_text("POST", path, bytes));
    } else {
      client.send("POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (size_t at = 0; at < bytes.size(); at += 100) client.send("64\r\n" + bytes.substr(at, 100) + "\r\n");
      client.send("0\r\n\r\n");
    }
    return client.receive().status;
  };
  for (const bool chunked : {false, true}) {
    EXPECT_EQ(201, status(std::string(1000, chunked ? 'a' : 'b'), chunked));
    EXPECT_EQ(413, status(std::string(1100, 'c'), chunked));
  }
}

}  // namespace
}  // namespace hearth_server
