// The page at /: who gets it, how it is sent, and the page's own routes.
#include "page.h"

#include <algorithm>
#include <thread>

#include "server_world.h"

namespace hearth_server {
namespace {

using PageHeaders = ServerTest;

const char* kBrowser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\n";

/// Every header of every file keeps foreign code out.
void expect_safe(const Answer& answer) {
  const size_t at = answer.head.find("\r\nContent-Security-Policy: ");
  ASSERT_NE(std::string::npos, at) << answer.head;
  const std::string policy = answer.head.substr(at, answer.head.find("\r\n", at + 2) - at);
  EXPECT_NE(std::string::npos, policy.find("default-src 'none'"));
  EXPECT_NE(std::string::npos, policy.find("script-src 'self'"));
  EXPECT_NE(std::string::npos, policy.find("frame-ancestors 'none'"));
  EXPECT_NE(std::string::npos, policy.find("require-trusted-types-for 'script'"));
  EXPECT_EQ(std::string::npos, policy.find("unsafe"));
  EXPECT_EQ(std::string::npos, policy.find("http:"));
  EXPECT_TRUE(answer.has_header("X-Content-Type-Options: nosniff"));
  EXPECT_TRUE(answer.has_header("Referrer-Policy: no-referrer"));
}

TEST(PageNegotiation, CodingsAsTheClientWeighsThem) {
  EXPECT_TRUE(accepts_coding("gzip", "gzip"));
  EXPECT_TRUE(accepts_coding("br;q=1, GZIP;q=0.2", "gzip"));
  EXPECT_TRUE(accepts_coding("*", "gzip"));
  EXPECT_TRUE(accepts_coding("*;q=0, gzip;q=0.001", "gzip"));
  EXPECT_FALSE(accepts_coding("", "gzip"));
  EXPECT_FALSE(accepts_coding("identity", "gzip"));
  EXPECT_FALSE(accepts_coding("gzip;q=0", "gzip"));
  EXPECT_FALSE(accepts_coding("gzip; q=0.000, *", "gzip"));
  EXPECT_FALSE(accepts_coding("xgzip, gzipx", "gzip"));
  EXPECT_FALSE(accepts_coding("*;q=0", "gzip"));
}

TEST(PageNegotiation, TagsAreEntriesOfAListNotPartsOfIt) {
  EXPECT_TRUE(names_tag("\"abc\"", "\"abc\""));
  EXPECT_TRUE(names_tag("\"x\" , W/\"abc\",\"y\"", "\"abc\""));
  EXPECT_TRUE(names_tag("*", "\"abc\""));
  EXPECT_FALSE(names_tag("", "\"abc\""));
  EXPECT_FALSE(names_tag("\"abcd\"", "\"abc\""));
  EXPECT_FALSE(names_tag("\"xabc\", \"ab\"", "\"abc\""));
  EXPECT_FALSE(names_tag("abc", "\"abc\""));
  EXPECT_FALSE(names_tag("\"x\"\"abc\"", "\"abc\""));
}

TEST_F(PageHeaders, ProgramsAreToldThatItRuns) {
  for (const char* accept : {"", "Accept: */*\r\n", "Accept: application/json\r\n", "Accept: text/html;q=0\r\n"}) {
    const Answer answer = ask("GET", "/", "", accept);
    EXPECT_EQ(200, answer.status);
    EXPECT_EQ("Ollama is running", answer.body) << accept;
    EXPECT_TRUE(answer.has_header("Content-Type: text/plain"));
  }
  Client client(port());
  client.send(request_text("HEAD", "/"));
  EXPECT_EQ(0u, client.read_to("\r\n\r\n").find("HTTP/1.1 200 OK\r\n"));
}

TEST_F(PageHeaders, BrowsersGetAPageInAnyBuild) {
  const Answer answer = ask("GET", "/", "", kBrowser);
  ASSERT_EQ(200, answer.status);
  EXPECT_TRUE(answer.has_header("Content-Type: text/html; charset=utf-8"));
  EXPECT_FALSE(answer.body.empty());
  expect_safe(answer);
  EXPECT_EQ(page_files().empty(), answer.body.find("HEARTH_PAGE") != std::string::npos);
}

TEST_F(PageHeaders, FilesAreSentAsTheyAreKept) {
  if (page_files().empty()) GTEST_SKIP() << "built without the page (HEARTH_PAGE)";
  size_t sum = 0;
  for (const PageFile& file : page_files()) {
    SCOPED_TRACE(file.path);
    sum += file.gzip.size();
    const std::string path(file.path);
    const Answer answer = ask("GET", path, "", kBrowser);
    ASSERT_EQ(200, answer.status);
    EXPECT_EQ(file.gzip, answer.body);
    EXPECT_EQ("\x1f\x8b", answer.body.substr(0, 2));
    EXPECT_TRUE(answer.has_header("Content-Encoding: gzip\r\n"));
    EXPECT_TRUE(answer.has_header("ETag: " + std::string(file.etag) + "\r\n"));
    EXPECT_TRUE(answer.has_header("Content-Type: " + std::string(file.type) + "\r\n"));
    EXPECT_TRUE(answer.has_header(path == "/" ? "Cache-Control: no-cache" : "Cache-Control: public, max-age=31536000"));
    expect_safe(answer);
    // Without a body, but with everything else.
    Client client(port());
    client.send(request_text("HEAD", path, "", kBrowser));
    const std::string head = "\r\n" + client.read_to("\r\n\r\n");
    EXPECT_NE(std::string::npos, head.find("\r\nContent-Length: " + std::to_string(file.gzip.size()) + "\r\n"));
    client.send(request_text("GET", "/health"));
    EXPECT_EQ("ok", client.receive().json()["status"]);
  }
  EXPECT_LT(sum, 400'000u);
  EXPECT_GE(page_files().size(), 3u);
}

TEST_F(PageHeaders, WhatTheBrowserHasIsNotSentAgain) {
  if (page_files().empty()) GTEST_SKIP() << "built without the page (HEARTH_PAGE)";
  const std::string tag(page_files().front().etag);
  Client client(port());
  client.send(request_text("GET", "/", "", kBrowser + ("If-None-Match: \"old\", W/" + tag + "\r\n")));
  const std::string head = "\r\n" + client.read_to("\r\n\r\n");
  EXPECT_NE(std::string::npos, head.find(" 304 Not Modified\r\n"));
  EXPECT_NE(std::string::npos, head.find("\r\nETag: " + tag + "\r\n"));
  EXPECT_EQ(std::string::npos, head.find("Content-Length"));
  EXPECT_EQ(std::string::npos, head.find("Content-Encoding"));
  client.send(request_text("GET", "/health"));  // nothing stands between the answers
  EXPECT_EQ(200, client.receive().status);
  EXPECT_EQ(200, ask("GET", "/", "", kBrowser + ("If-None-Match: \"x" + tag.substr(1) + "\r\n")).status);
}

TEST_F(PageHeaders, ClientsThatTakeNoGzipAreToldSo) {
  if (page_files().empty()) GTEST_SKIP() << "built without the page (HEARTH_PAGE)";
  const std::string path(page_files().back().path);
  for (const char* codings : {"identity", "gzip;q=0", "br, *;q=0"}) {
    const Answer answer = ask("GET", path, "", "Accept-Encoding: " + std::string(codings) + "\r\n");
    EXPECT_EQ(406, answer.status) << codings;
    EXPECT_FALSE(answer.has_header("Content-Encoding"));
    EXPECT_NE(std::string::npos, answer.body.find("gzip"));
    expect_safe(answer);
  }
  EXPECT_EQ(200, ask("GET", path).status) << "no Accept-Encoding: any will do";
}

TEST_F(PageHeaders, OnlyItsOwnFiles) {
  for (const char* path : {"/assets/", "/assets/none.js", "/assets/../server.cpp", "/assets/%2e%2e/x", "/index.html"})
    EXPECT_EQ(404, ask("GET", path, "", kBrowser).status) << path;
  EXPECT_EQ(405, ask("POST", "/", "{}").status);
}

TEST_F(PageHeaders, PagesOfTheServerItselfMayUseItUnderAnyAddressOfIts) {
  const auto from = [](const char* origin, const char* host) {
    HttpRequest request;
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.headers = {{"host", host}, {"origin", origin}};
    AccessOptions options;
    options.loopback_only = false;
    return !Access(options).check(request);
  };
  EXPECT_TRUE(from("http://192.0.2.7:11434", "192.0.2.7:11434"));
  EXPECT_TRUE(from("http://[2001:db8::1]:11434", "[2001:db8::1]:11434"));
  EXPECT_TRUE(from("http://desk.local:11434", "desk.local:11434"));
  EXPECT_FALSE(from("http://192.0.2.7:80", "192.0.2.7:11434"));
  EXPECT_FALSE(from("http://evil.example:11434", "evil.example:11434")) << "a name that may point anywhere";
  EXPECT_FALSE(from("http://evil.example", "192.0.2.7:11434"));
}

using PageRoutes = ServerTest;

Json state_of(const Json& state, const std::string& name) {
  for (const Json& model : state["models"])
    if (model["name"] == name) return model;
  return nullptr;
}

TEST_F(PageRoutes, StateNamesModelsMemoryAndDefaults) {
  const Json state = ask("GET", "/hearth/state").json();
  const Json model = state_of(state, "small-world-q8_0");
  ASSERT_TRUE(model.is_object()) << state;
  EXPECT_EQ("llama", model["architecture"]);
  EXPECT_EQ("Q8_0", model["quantization"]);
  EXPECT_EQ(512, model["context_train"]);
  EXPECT_GT(state["memory"]["used"], 1'000'000);
  EXPECT_GT(state["memory"]["available"], 0);
  EXPECT_NE(state["kv_types"].end(), std::find(state["kv_types"].begin(), state["kv_types"].end(), "q8_0"));
  EXPECT_NEAR(0.8, state["sampling"]["temperature"].get<double>(), 1e-6);
}

TEST_F(PageRoutes, LoadsWithSettingsAndUnloads) {
  const std::string name = "small-world-q8_0";
  const Answer loaded =
      post("/hearth/load", {{"model", name}, {"context", 192}, {"k_type", "q8_0"}, {"v_type", "f16"}});
  ASSERT_EQ(200, loaded.status) << loaded.body;
  Json model = state_of(ask("GET", "/hearth/state").json(), name);
  EXPECT_EQ("loaded", model["state"]);
  EXPECT_EQ(192, model["loaded"]["context"]);
  EXPECT_EQ("q8_0", model["loaded"]["k_type"]);
  EXPECT_EQ("f16", model["loaded"]["v_type"]);
  // Answers use it as it is.
  EXPECT_EQ("71 + 11 = 82",
            post("/v1/chat/completions", chat("What is 71 plus 11?")).json()["choices"][0]["message"]["content"]);
  EXPECT_EQ(192, state_of(ask("GET", "/hearth/state").json(), name)["loaded"]["context"]);
  for (int i = 0; i < 200 && model["state"] == "loaded"; ++i) {  // an answer may still hold it for a moment
    EXPECT_EQ(200, post("/hearth/unload", {{"model", name}}).status);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    model = state_of(ask("GET", "/hearth/state").json(), name);
  }
  EXPECT_EQ("idle", model["state"]);
  EXPECT_EQ(404, post("/hearth/unload", {{"model", name}}).status);
  // Without settings it is as the server was told.
  ASSERT_EQ(200, post("/hearth/load", {{"model", name}}).status);
  EXPECT_EQ(512, state_of(ask("GET", "/hearth/state").json(), name)["loaded"]["context"]);
}

TEST_F(PageRoutes, StreamsTellHowFarThePromptIs) {
  const std::string text = "Progress of a prompt that no other test has. What is 71 plus 11?";
  const auto progress = [&](const Json& more) {
    std::vector<Json> found;
    for (const Json& event : sse_events(post("/v1/chat/completions", chat(text, more)).body))
      if (event.contains("prompt_progress")) found.push_back(event["prompt_progress"]);
    return found;
  };
  const auto told = progress({{"stream", true}, {"return_progress", true}});
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back()["total"], told.back()["processed"]);
  EXPECT_GT(told.back()["total"].get<int>(), 10);
  EXPECT_TRUE(progress({{"stream", true}}).empty());
  EXPECT_EQ(200, post("/v1/chat/completions", chat(text, {{"return_progress", true}})).status);
}

TEST_F(PageRoutes, WrongSettingsAreNamed) {
  const std::string name = "small-world-q8_0";
  EXPECT_EQ(404, post("/hearth/load", {{"model", "none"}}).status);
  for (const Json& wrong : {Json{{"context", -1}}, Json{{"context", 1e18}}, Json{{"context", 3}},
                            Json{{"context", "x"}}, Json{{"k_type", "q9"}}, Json{{"v_type", 7}}}) {
    Json body = {{"model", name}};
    body.update(wrong);
    const Answer answer = post("/hearth/load", body);
    EXPECT_EQ(400, answer.status) << wrong;
    EXPECT_NE(std::string::npos, answer.body.find(wrong.begin().key())) << answer.body;
  }
}

/// The same with both models of the repository, one of which guesses for the other.
class PageDrafts : public ServerTest {
 protected:
  static void SetUpTestSuite() {
    store_ = std::make_unique<ModelStore>();
    store_->add_folder(hearth::testing::source_dir() + "/examples/models");
    server_ = std::make_unique<Server>(*store_, options());
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
};

const char* kLarge = "small-world-q8_0";
const char* kSmall = "small-world-draft-q8_0";

TEST_F(PageDrafts, SmallerModelsOfTheSameVocabularyAreOffered) {
  const Json state = ask("GET", "/hearth/state").json();
  EXPECT_EQ(Json::array({kSmall}), state_of(state, kLarge)["drafts"]);
  EXPECT_EQ(Json::array(), state_of(state, kSmall)["drafts"]) << "a larger one would lose time";
}

TEST_F(PageDrafts, GuessesChangeNoAnswer) {
  const Answer loaded = post("/hearth/load", {{"model", kLarge}, {"draft", kSmall}});
  ASSERT_EQ(200, loaded.status) << loaded.body;
  EXPECT_EQ(kSmall, loaded.json()["loaded"]["draft"]);
  const Json answer = post("/v1/chat/completions", chat("What is 71 plus 11?")).json();
  EXPECT_EQ("71 + 11 = 82", answer["choices"][0]["message"]["content"]);
  Answer without;  // an answer may still hold the model for a moment
  for (int i = 0; i < 200 && without.status != 200; ++i) {
    without = post("/hearth/load", {{"model", kLarge}, {"draft", "none"}});
    if (without.status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(without.json()["loaded"].contains("draft")) << without.body;
  EXPECT_EQ(404, post("/hearth/load", {{"model", kLarge}, {"draft", "other"}}).status);
}

}  // namespace
}  // namespace hearth_server
