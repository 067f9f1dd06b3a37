// What no well-behaved client sends, and clients that leave or stall.
#include <chrono>
#include <thread>

#include "server_world.h"

namespace hearth_server {
namespace {

using Hostile = ServerTest;

bool lives(int port) {
  Client client(port);
  client.send(request_text("GET", "/health"));
  return client.receive().status == 200;
}

TEST_F(Hostile, BodiesThatAreNoRequests) {
  for (const std::string& body :
       {std::string("{\"model\": "), std::string("[]"), std::string("null"), std::string("\xff\xfe"),
        std::string(100000, '['), std::string(R"({"messages": "hello"})"), std::string(R"({"messages": []})"),
        std::string(R"({"messages": [null]})"), std::string(R"({"messages": [{"role": 5}]})"),
        std::string(R"({"messages": [{"role": "user", "content": "\ud800"}]})"),
        std::string(R"({"messages": [{"role": "user", "content": {}}]})"),
        std::string(R"({"messages": [{"role": "user", "content": "a"}], "temperature": -1})"),
        std::string(R"({"messages": [{"role": "user", "content": "a"}], "top_logprobs": 1e300, "logprobs": true})"),
        std::string(R"({"messages": [{"role": "user", "content": "a"}], "max_tokens": "x"})")}) {
    const Answer answer = ask("POST", "/v1/chat/completions", body);
    EXPECT_EQ(400, answer.status) << body.substr(0, 80);
    EXPECT_TRUE(answer.json()["error"]["message"].is_string()) << answer.body;
  }
  EXPECT_EQ(400, ask("POST", "/api/chat").status);
  EXPECT_TRUE(lives(port()));
}

TEST_F(Hostile, JsonThatCostsMoreThanItsBytes) {
  std::string members, values = "[0";
  for (int i = 0; i < 5000; ++i) members += ",\"" + std::to_string(i) + "\":0";
  for (int i = 0; i < (4 << 20); ++i) values += ",0";
  for (const std::string& body : {"{\"a\":0" + members + "}", "{\"prompt\":" + values + "]}"}) {
    const Answer answer = ask("POST", "/v1/completions", body);
    EXPECT_EQ(400, answer.status);
    EXPECT_NE(std::string::npos, answer.body.find("more ")) << answer.body;
  }
  const std::string text(3 << 20, ',');  // in a text they cost nothing
  EXPECT_EQ(200, post("/tokenize", {{"content", "a"}, {"user", text}}).status);
}

TEST_F(Hostile, EveryRouteBearsOddBodies) {
  for (const char* path : {"/v1/chat/completions",
                           "/v1/completions",
                           "/v1/embeddings",
                           "/v1/responses",
                           "/v1/messages",
                           "/api/generate",
                           "/api/chat",
                           "/api/embed",
                           "/api/embeddings",
                           "/api/show",
                           "/api/create",
                           "/api/copy",
                           "/api/pull",
                           "/completion",
                           "/tokenize",
                           "/detokenize",
                           "/infill",
                           "/rerank",
                           "/apply-template",
                           "/embedding",
                           "/api/v1/models/load",
                           "/api/v1/models/unload"}) {
    for (const char* body : {"{}", R"({"model": 5})", R"({"model": "small-world-q8_0", "prompt": {}, "messages": {}})",
                             R"({"prompt": [[[]]], "input": [[]], "content": 7, "tokens": "x", "options": []})",
                             R"({"model": "../../etc/passwd", "name": "\u0000", "source": "a", "from": "b"})"}) {
      const Answer answer = ask("POST", path, body);
      EXPECT_GE(answer.status, 200) << path << body;
      EXPECT_NE(500, answer.status) << path << body << answer.body;
      const std::string first_line = answer.body.substr(0, answer.body.find('\n'));
      EXPECT_FALSE(Json::parse(first_line, nullptr, false).is_discarded()) << path << answer.body;
    }
  }
  EXPECT_TRUE(lives(port()));
}

TEST_F(Hostile, BrokenHTTP) {
  for (const char* text :
       {"\r\n\r\nhello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"}) {
    Client client(port());
    client.send(text);
    const Answer answer = client.receive();
    EXPECT_GE(answer.status, 400) << text;
    EXPECT_TRUE(answer.has_header("Connection: close")) << text;
    EXPECT_TRUE(client.is_closed()) << text;
  }
  Client large(port());
  large.send("GET / HTTP/1.1\r\nX: " + std::string(200000, 'x') + "\r\n\r\n");
  EXPECT_EQ(431, large.receive().status);
  Client body(port());
  body.send("POST /v1/completions HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(413, body.receive().status);
  EXPECT_TRUE(lives(port()));
}

TEST_F(Hostile, AConnectionIsKeptThroughAnswersErrorsAndStreams) {
  Client client(port());
  for (int i = 0; i < 12; ++i) {
    Json body = chat("Hello", {{"max_tokens", 2}, {"stream", i % 3 == 1}});
    if (i % 3 == 2) body = {{"messages", "no"}};
    client.send(request_text("POST", "/v1/chat/completions", body.dump()));
    EXPECT_EQ(i % 3 == 2 ? 400 : 200, client.receive().status) << i;
  }
}

TEST_F(Hostile, ChunkedAndPipelinedRequests) {
  const std::string body = chat("Hello", {{"max_tokens", 2}}).dump();
  Client client(port());
  char size[20];
  std::snprintf(size, sizeof size, "%zx", body.size());
  client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
              std::string(size) + "\r\n" + body + "\r\n0\r\n\r\n" + request_text("GET", "/v1/models"));
  EXPECT_EQ(200, client.receive().status);
  EXPECT_EQ("list", client.receive().json()["object"]);
}

TEST_F(Hostile, NamesThatAreNoneAreNotPulled) {
  for (const char* name : {"<|im_end|>", "sm]all", "../../etc/passwd", "http://127.0.0.1/x", ""})
    for (const bool stream : {false, true})
      EXPECT_EQ(400, post("/api/pull", {{"model", name}, {"stream", stream}}).status) << name;
}

TEST_F(Hostile, SmallRequestsAreAllAnsweredInTurn) {
  // Beside an answer that is written they wait for their turns; none is lost, and the order stays.
  Client writer(port());
  writer.send(
      request_text("POST", "/v1/chat/completions",
                   chat("Tell me a story", {{"max_tokens", 400}, {"stream", true}, {"ignore_eos", true}}).dump()));
  EXPECT_EQ(200, writer.receive_head().status);
  std::string batch;
  for (int i = 0; i < 200; ++i) {
    batch += request_text("GET", i % 3 == 0 ? "/health" : i % 3 == 1 ? "/v1/models" : "/api/version?x=1");
    if (i % 50 == 49)
      batch += request_text("POST", "/tokenize", R"({"content": "a"})") + request_text("GET", "/nothing");
  }
  Client many(port()), single(port());
  many.send(batch);
  for (int i = 0; i < 200; ++i) {
    const Json answer = many.receive().json();
    EXPECT_TRUE(answer.contains(i % 3 == 0 ? "status" : i % 3 == 1 ? "data" : "version")) << i << answer;
    if (i % 50 != 49) continue;
    EXPECT_TRUE(many.receive().json().contains("tokens")) << i;
    EXPECT_EQ(404, many.receive().status) << i;
    single.send(request_text("HEAD", "/health"));
    EXPECT_EQ(200, single.receive_head().status);
    single.send(request_text("GET", "/health", "a body", "Connection: keep-alive\r\n"));  // no small one
    EXPECT_EQ(200, single.receive().status);
  }
  // Nobody reads: what does not fit into the socket waits without the thread that all others need.
  Client deaf(port());
  std::string much;
  for (int i = 0; i < 400; ++i) much += request_text("GET", "/v1/models");
  for (int i = 0; i < 40; ++i) ::send(deaf.fd(), much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  EXPECT_TRUE(lives(port()));
  Client last(port());
  last.send(request_text("GET", "/health", "", "Connection: close\r\n"));
  EXPECT_EQ(200, last.receive().status);
  EXPECT_TRUE(last.is_closed());
}

TEST_F(Hostile, AClientThatLeavesEndsItsAnswer) {
  const Json body =
      chat("Tell me a long story about a fox.", {{"max_tokens", 400}, {"temperature", 1}, {"ignore_eos", true}});
  for (const bool stream : {true, false}) {
    Client client(port());
    Json mine = body;
    mine["stream"] = stream;
    client.send(request_text("POST", "/v1/chat/completions", mine.dump()));
    if (stream) client.read_to("data: ");
  }
  for (int i = 0; i < 200; ++i) {
    if (server_->models().loaded().front().model->engine.stats().active == 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(0, server_->models().loaded().front().model->engine.stats().active);
  EXPECT_TRUE(lives(port()));
}

TEST_F(Hostile, AReaderThatStallsLosesNothingAndStopsNobody) {
  Client slow(port());
  slow.send(request_text("POST", "/v1/chat/completions",
                         chat("Count down from 39 to 2.", {{"stream", true}, {"max_tokens", 200}}).dump()));
  EXPECT_EQ(200, post("/v1/chat/completions", chat("Hello", {{"max_tokens", 2}})).status);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(slow.receive().body.ends_with("data: [DONE]\n\n"));
}

TEST_F(Hostile, HalfRequestsHoldNothing) {
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(std::make_unique<Client>(port()));
    if (i % 10 == 0) idle.back()->send("POST /v1/chat/completions HTTP/1.1\r\nContent-Le");
  }
  EXPECT_TRUE(lives(port()));
}

TEST_F(Hostile, PromptsThatDoNotFitAreErrorsBeforeTheStream) {
  std::string words;
  for (int i = 0; i < 9000; ++i) words += "word ";
  for (const bool stream : {true, false}) {
    const Answer answer = post("/v1/chat/completions", chat(words, {{"stream", stream}}));
    EXPECT_EQ(400, answer.status);
    EXPECT_EQ("context_length_exceeded", answer.json()["error"]["code"]);
  }
}

TEST_F(Hostile, ForeignPagesAndHosts) {
  EXPECT_EQ(403, ask("GET", "/api/tags", "", "Origin: https://evil.example\r\n").status);
  Client client(port());
  client.send("GET /api/tags HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(403, client.receive().status);
  const Answer page = ask("POST", "/v1/chat/completions", "{}", "Origin: http://localhost:3000\r\n");
  EXPECT_EQ(400, page.status);
  EXPECT_TRUE(page.has_header("Access-Control-Allow-Origin: http://localhost:3000"));
  const Answer preflight = ask("OPTIONS", "/api/chat", "",
                               "Origin: vscode-webview://1a\r\nAccess-Control-Request-Headers: x-stainless-lang\r\n");
  EXPECT_EQ(204, preflight.status);
  EXPECT_TRUE(preflight.has_header("Access-Control-Allow-Headers: x-stainless-lang"));
}

TEST_F(Hostile, UnknownRoutesAndMethods) {
  EXPECT_EQ(404, post("/v1/no/such/route", Json::object()).status);
  EXPECT_EQ(405, ask("GET", "/v1/chat/completions").status);
  EXPECT_EQ(200, ask("GET", "/v1/models?x=1").status);
  EXPECT_EQ(200, ask("GET", "/v1/models/small-world-q8_0%3Alatest").status);
}

/// A server with limits of its own.
class Limited : public ::testing::Test {
 protected:
  void start(const HttpLimits& limits) {
    ASSERT_TRUE(store_.add_file(kSmallWorld));
    ServerOptions options = ServerTest::options();
    options.limits = limits;
    server_ = std::make_unique<Server>(store_, options);
    ASSERT_TRUE(server_->start());
  }
  ModelStore store_;
  std::unique_ptr<Server> server_;
};

TEST_F(Limited, SlowHeadsHoldNoWorker) {
  start({.head_seconds = 0.5, .max_threads = 1});
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<Client>(server_->port()));
    slow.back()->send("GET /health HTTP/1.1\r\nHo");
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(lives(server_->port()));
  slow[0]->send("st: localhost\r\n\r\n");
  EXPECT_EQ(200, slow[0]->receive().status);
  EXPECT_EQ(408, slow[1]->receive().status);
}

TEST_F(Limited, SlowBodiesEnd) {
  start({.body_seconds = 0.3, .body_rate = 1e6});
  Client client(server_->port());
  client.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{");
  EXPECT_EQ(408, client.receive().status);
}

TEST_F(Limited, BodiesTogetherHaveALimit) {
  start({.max_body = 1 << 20, .max_bodies = 1 << 20});
  const std::string head =
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(1 << 20) + "\r\n\r\n";
  Client first(server_->port()), second(server_->port());
  first.send(head + std::string(900'000, ' '));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  second.send(head + std::string(900'000, ' '));
  const Answer refused = second.receive();
  EXPECT_EQ(503, refused.status);
  EXPECT_TRUE(refused.json()["error"]["message"].is_string()) << refused.body;
  first.send(std::string((1 << 20) - 900'000, ' '));
  EXPECT_EQ(400, first.receive().status);
  Client third(server_->port());
  third.send(head + std::string(1 << 20, ' '));
  EXPECT_EQ(400, third.receive().status);  // nothing is left of what the others held
}

TEST(ServerAccess, KeysAreAskedForEverywhereButHealth) {
  AccessOptions options;
  options.keys = {"secret"};
  Access access(options);
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/chat/completions";
  EXPECT_EQ(401, access.check(request)->status);
  request.headers = {{"authorization", "Bearer wrong!"}};
  EXPECT_EQ(401, access.check(request)->status);
  for (const auto& header : std::vector<std::pair<std::string, std::string>>{
           {"authorization", "Bearer secret"}, {"x-api-key", "secret"}, {"api-key", "secret"}}) {
    request.headers = {header};
    EXPECT_FALSE(access.check(request)) << header.first;
  }
  request.headers.clear();
  request.path = "/health";
  EXPECT_FALSE(access.check(request));
}

TEST(ServerAccess, Hosts) {
  const Access access{AccessOptions{}};
  for (const char* host :
       {"localhost:11434", "127.0.0.1", "[::1]:80", "192.168.1.5:1", "host.docker.internal:11434", "x.local"})
    EXPECT_TRUE(access.allows_host(host)) << host;
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "8.8.8.8", "localhost.evil.example:11434"})
    EXPECT_FALSE(access.allows_host(host)) << host;
}

TEST(ServerStop, RunningAnswersEndAndNewOnesAreRefused) {
  ModelStore store;
  ASSERT_TRUE(store.add_file(kSmallWorld));
  ServerOptions options;
  options.port = 0;
  options.log = LogLevel::kNone;
  options.models.session.n_threads = 1;
  Server server(store, options);
  ASSERT_TRUE(server.start());
  Client client(server.port());
  const Json body = {{"prompt", "Once upon a time"}, {"max_tokens", 30}, {"stream", true}, {"ignore_eos", true}};
  client.send(request_text("POST", "/v1/completions", body.dump()));
  client.read_to("data: ");
  server.stop(10);
  const std::string rest = client.read_to("[DONE]");
  EXPECT_TRUE(rest.ends_with("[DONE]"));
}

}  // namespace
}  // namespace hearth_server
