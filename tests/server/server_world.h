// A server over the model of examples/models, in the test's own process, and its client.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "server.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "tests/server/socket_client.h"

namespace hearth_server {

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

struct Answer : SocketAnswer {
  Json json() const { return Json::parse(body, nullptr, false); }
};

/// A connection to a port of this machine.
class Client : public SocketClient {
 public:
  explicit Client(int port) : SocketClient(port) { EXPECT_TRUE(is_connected()); }
  Answer receive() { return {SocketClient::receive()}; }
};

inline std::string request_text(const std::string& method, const std::string& path, const std::string& body = "",
                                const std::string& headers = "") {
  return request_bytes(method, path, body, headers);
}

/// One server for all tests of a suite.
class ServerTest : public ::testing::Test {
 public:
  static ServerOptions options() {
    ServerOptions options;
    options.port = 0;
    options.has_metrics = true;
    options.log = LogLevel::kNone;
    options.models.session.n_seqs = 4;
    options.models.session.n_ctx = 512;
    options.models.session.n_threads = 1;
    options.models.session.batch_invariant = true;  // an answer is the same whatever runs beside it
    return options;
  }

 protected:
  static void SetUpTestSuite() {
    own_ = std::make_unique<hearth::testing::TempDir>();
    store_ = std::make_unique<ModelStore>(hearth_store::Store(own_->file("models")));
    ASSERT_TRUE(store_->add_file(kSmallWorld));
    server_ = std::make_unique<Server>(*store_, options());
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  static void TearDownTestSuite() {
    server_.reset();
    store_.reset();
    own_.reset();
  }

  static int port() { return server_->port(); }
  static Answer ask(const std::string& method, const std::string& path, const std::string& body = "",
                    const std::string& headers = "") {
    Client client(port());
    client.send(request_text(method, path, body, headers));
    return client.receive();
  }
  static Answer post(const std::string& path, const Json& body) { return ask("POST", path, body.dump()); }
  static Json chat(const std::string& text, Json more = Json::object()) {
    Json body = {{"model", "small-world-q8_0"},
                 {"messages", Json::array({{{"role", "user"}, {"content", text}}})},
                 {"temperature", 0},
                 {"max_tokens", 40}};
    body.update(more);
    return body;
  }

  static inline std::unique_ptr<hearth::testing::TempDir> own_;  ///< what clients make goes here
  static inline std::unique_ptr<ModelStore> store_;
  static inline std::unique_ptr<Server> server_;
};

/// The values of the "data: " lines of a stream, without [DONE].
inline std::vector<Json> sse_events(const std::string& body) {
  std::vector<Json> events;
  for (size_t at = 0; (at = body.find("data: ", at)) != std::string::npos;) {
    const size_t end = body.find('\n', at);
    const std::string text = body.substr(at + 6, end - at - 6);
    if (text != "[DONE]") events.push_back(Json::parse(text, nullptr, false));
    at = end;
  }
  return events;
}

}  // namespace hearth_server
