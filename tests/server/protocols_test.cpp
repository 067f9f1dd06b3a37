// The main paths of every protocol, with the one model that the repository has.
#include <chrono>
#include <mutex>
#include <thread>

#include "server_world.h"

namespace hearth_server {
namespace {

const char* kSum = "What is 71 plus 11?";
const char* kRight = "71 + 11 = 82";

using Protocols = ServerTest;

TEST_F(Protocols, ChatOfOpenAI) {
  const Answer answer = post("/v1/chat/completions", chat(kSum));
  ASSERT_EQ(200, answer.status) << answer.body;
  const Json json = answer.json();
  EXPECT_EQ(kRight, json["choices"][0]["message"]["content"]);
  EXPECT_EQ("stop", json["choices"][0]["finish_reason"]);
  EXPECT_EQ("small-world-q8_0", json["model"]);
  EXPECT_EQ(json["usage"]["total_tokens"].get<int>(),
            json["usage"]["prompt_tokens"].get<int>() + json["usage"]["completion_tokens"].get<int>());
}

TEST_F(Protocols, StreamOfOpenAI) {
  const Answer answer =
      post("/v1/chat/completions", chat(kSum, {{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
  ASSERT_EQ(200, answer.status);
  EXPECT_TRUE(answer.has_header("Content-Type: text/event-stream"));
  EXPECT_TRUE(answer.has_header("Transfer-Encoding: chunked"));
  ASSERT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
  std::string text;
  int n_roles = 0, n_finishes = 0;
  const auto events = sse_events(answer.body);
  for (const Json& event : events) {
    for (const Json& choice : event["choices"]) {
      n_roles += choice["delta"].contains("role");
      n_finishes += !choice["finish_reason"].is_null();
      text += choice["delta"].value("content", std::string());
    }
  }
  EXPECT_EQ(kRight, text);
  EXPECT_EQ(1, n_roles);
  EXPECT_EQ(1, n_finishes);
  EXPECT_TRUE(events.back()["choices"].empty());
  EXPECT_GT(events.back()["usage"]["completion_tokens"].get<int>(), 5);
}

TEST_F(Protocols, StopTextsAreNeverShown) {
  const std::string full =
      post("/v1/chat/completions", chat("Count down from 39 to 32.")).json()["choices"][0]["message"]["content"];
  const std::string stop = full.substr(8, 4);
  const Json body = chat("Count down from 39 to 32.", {{"stop", stop}, {"stream", true}});
  std::string text;
  for (const Json& event : sse_events(post("/v1/chat/completions", body).body))
    text += event["choices"][0]["delta"].value("content", std::string());
  EXPECT_EQ(full.substr(0, full.find(stop)), text);
}

TEST_F(Protocols, SeveralAnswersAndSeveralPrompts) {
  const Json three = post("/v1/chat/completions", chat("Tell me a story.", {{"n", 3}, {"temperature", 1}})).json();
  EXPECT_EQ(3u, three["choices"].size());
  const Json many = post("/v1/completions", {{"prompt", {"Once upon a time", "Long ago"}}, {"max_tokens", 4}}).json();
  ASSERT_EQ(2u, many["choices"].size());
  EXPECT_EQ(8, many["usage"]["completion_tokens"]);
  EXPECT_EQ(400, post("/v1/chat/completions", chat("Hi", {{"n", 99}})).status);
}

TEST_F(Protocols, LogprobsAreSortedAndSpellTheText) {
  const Json json = post("/v1/chat/completions", chat(kSum, {{"logprobs", true}, {"top_logprobs", 3}})).json();
  std::string text;
  for (const Json& entry : json["choices"][0]["logprobs"]["content"]) {
    text += entry["token"].get<std::string>();
    ASSERT_EQ(3u, entry["top_logprobs"].size());
    EXPECT_EQ(entry["token"], entry["top_logprobs"][0]["token"]);
    EXPECT_NEAR(entry["logprob"].get<double>(), entry["top_logprobs"][0]["logprob"].get<double>(), 1e-4);
    EXPECT_GE(entry["top_logprobs"][0]["logprob"], entry["top_logprobs"][1]["logprob"]);
    EXPECT_LE(entry["logprob"].get<double>(), 0);
  }
  EXPECT_EQ(kRight, text);
}

TEST_F(Protocols, Ollama) {
  const Json plain =
      post("/api/generate",
           {{"model", "small-world-q8_0"}, {"prompt", kSum}, {"stream", false}, {"options", {{"temperature", 0}}}})
          .json();
  EXPECT_EQ(kRight, plain["response"]);
  EXPECT_EQ("stop", plain["done_reason"]);
  EXPECT_TRUE(plain["total_duration"].is_number_integer());
  EXPECT_FALSE(plain["context"].empty());
  Json body = chat(kSum);
  body["options"] = {{"temperature", 0}};
  const Answer stream = post("/api/chat", body);
  EXPECT_TRUE(stream.has_header("Content-Type: application/x-ndjson"));
  EXPECT_TRUE(stream.body.ends_with("\n"));
  EXPECT_EQ(std::string::npos, stream.body.find("\n\n"));
  EXPECT_EQ(404, post("/api/chat", {{"model", "none"}, {"messages", Json::array()}}).status);
}

TEST_F(Protocols, OllamaLoadsAndUnloads) {
  const Json load = {{"model", "small-world-q8_0"}, {"stream", false}};
  EXPECT_EQ("load", post("/api/generate", load).json()["done_reason"]);
  EXPECT_EQ(1u, ask("GET", "/api/ps").json()["models"].size());
  Json unload = load;
  unload["keep_alive"] = 0;
  EXPECT_EQ("unload", post("/api/generate", unload).json()["done_reason"]);
  // An answer that has just been sent may still hold the model for a moment.
  size_t n_loaded = 1;
  for (int i = 0; i < 200 && n_loaded > 0; ++i) {
    n_loaded = ask("GET", "/api/ps").json()["models"].size();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(0u, n_loaded);
  EXPECT_EQ(200, post("/v1/chat/completions", chat(kSum)).status);
}

TEST_F(Protocols, VariantsAndCopies) {
  EXPECT_EQ(200, post("/api/create", {{"model", "brief"},
                                      {"from", "small-world-q8_0"},
                                      {"parameters", {{"num_predict", 3}, {"temperature", 0}}},
                                      {"stream", false}})
                     .status);
  const Json answer = post("/api/generate", {{"model", "brief"}, {"prompt", kSum}, {"stream", false}}).json();
  EXPECT_EQ(3, answer["eval_count"]);
  EXPECT_EQ("length", answer["done_reason"]);
  EXPECT_EQ(200, ask("DELETE", "/api/delete", R"({"model": "brief"})").status);
  EXPECT_EQ(403, ask("DELETE", "/api/delete", R"({"model": "small-world-q8_0"})").status);
  EXPECT_EQ(404, post("/api/show", {{"model", "brief"}}).status);
}

TEST_F(Protocols, LlamaServer) {
  const Json answer =
      post("/completion", {{"prompt", "Once upon a time"}, {"n_predict", 4}, {"temperature", 0}}).json();
  EXPECT_EQ(4, answer["tokens_predicted"]);
  EXPECT_EQ("limit", answer["stop_type"]);
  const Json tokens = post("/tokenize", {{"content", "a fox"}}).json()["tokens"];
  EXPECT_EQ("a fox", post("/detokenize", {{"tokens", tokens}}).json()["content"]);
  EXPECT_EQ(400, post("/detokenize", {{"tokens", {99999999}}}).status);
  EXPECT_NE(std::string::npos,
            post("/apply-template", chat("Hello")).json()["prompt"].get<std::string>().find("Hello"));
  EXPECT_EQ(501, post("/infill", {{"input_prefix", "a"}, {"input_suffix", "b"}}).status);
  EXPECT_EQ(501, post("/v1/rerank", {{"query", "a"}, {"documents", {"b"}}}).status);
  EXPECT_EQ(4u, ask("GET", "/slots").json().size());
  EXPECT_EQ("ok", ask("GET", "/health").json()["status"]);
  EXPECT_NE(std::string::npos, ask("GET", "/metrics").body.find("hearth_requests_total"));
}

TEST(ProtocolsOfTwoModels, ANativeRouteWithoutANameTakesTheOneUsedLast) {
  ModelStore store;
  ASSERT_TRUE(store.add_file(kSmallWorld));
  ASSERT_TRUE(store.add_file(hearth::testing::source_dir() + "/examples/models/small-world-draft-q8_0.gguf"));
  ServerOptions options = ServerTest::options();
  Server server(store, options);
  ASSERT_TRUE(server.start());
  const auto answered_by = [&](Json body) {
    body.update({{"prompt", "Once upon a time"}, {"n_predict", 1}});
    Client client(server.port());
    client.send(request_text("POST", "/completion", body.dump()));
    return client.receive().json().value("model", "");
  };
  for (const char* name : {"small-world-draft-q8_0", "small-world-q8_0", "small-world-draft-q8_0"}) {
    EXPECT_EQ(name, answered_by({{"model", name}}));
    EXPECT_EQ(name, answered_by(Json::object()));
  }
}

TEST(ServerLog, TellsTokensInEveryProtocol) {
  ModelStore store;
  ASSERT_TRUE(store.add_file(kSmallWorld));
  ServerOptions options = ServerTest::options();
  std::vector<std::string> lines;
  std::mutex mutex;
  options.log = LogLevel::kRequest;
  options.log_line = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
  };
  {
    Server server(store, options);
    ASSERT_TRUE(server.start());
    Json body = {{"model", "small-world-q8_0"}, {"prompt", "Once upon"}, {"input", "Once upon"}, {"max_tokens", 3}};
    body["messages"] = Json::array({{{"role", "user"}, {"content", "my secret"}}});
    for (const char* path : {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/api/chat",
                             "/api/generate", "/completion"}) {
      Client client(server.port());
      client.send(request_text("POST", path, body.dump()));
      EXPECT_EQ(200, client.receive().status) << path;
    }
    server.stop(5);
  }
  EXPECT_EQ(7u, lines.size());
  for (const std::string& line : lines) {
    const Json json = Json::parse(line, nullptr, false);
    EXPECT_EQ("small-world-q8_0", json.value("model", "")) << line;
    EXPECT_GT(json.value("tokens", 0), 0) << line;
    EXPECT_TRUE(json.contains("tokens_per_second")) << line;
    EXPECT_EQ(std::string::npos, line.find("secret")) << line;
  }
}

TEST_F(Protocols, MetricsTellWhatHappened) {
  post("/v1/chat/completions", chat(kSum));
  std::string text;
  for (int i = 0; i < 500; ++i) {  // a request is counted when its answer has ended, which its client may know first
    text = ask("GET", "/metrics").body;
    if (text.find("hearth_requests_total{status=\"200\"} ") != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  for (const char* line : {"# HELP hearth_requests_total ", "hearth_requests_total{status=\"200\"} ",
                           "hearth_first_token_seconds_bucket{le=\"+Inf\"} ", "hearth_between_tokens_seconds_count ",
                           "hearth_queue_seconds_sum ", "hearth_request_seconds_bucket{le=\"0.001\"} ",
                           "llamacpp:prompt_tokens_total{model=\"small-world-q8_0\"} ",
                           "hearth_cached_tokens_total{model=", "hearth_model_bytes{model=",
                           "process_resident_memory_bytes ", "process_cpu_seconds_total ", "hearth_connections "}) {
    EXPECT_NE(std::string::npos, text.find(line)) << line << "\n" << text;
  }
}

TEST_F(Protocols, AnthropicAndResponses) {
  const Json message = post("/v1/messages", chat(kSum)).json();
  EXPECT_EQ(kRight, message["content"][0]["text"]);
  EXPECT_EQ("end_turn", message["stop_reason"]);
  const Answer stream = post("/v1/messages", chat(kSum, {{"stream", true}}));
  EXPECT_NE(std::string::npos, stream.body.find("event: message_stop\n"));
  const Json response = post("/v1/responses", {{"input", kSum}, {"temperature", 0}}).json();
  EXPECT_EQ(kRight, response["output"][0]["content"][0]["text"]);
  const auto events = sse_events(post("/v1/responses", {{"input", kSum}, {"temperature", 0}, {"stream", true}}).body);
  EXPECT_EQ("response.completed", events.back()["type"]);
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(i, events[i]["sequence_number"].get<size_t>());
}

Json weather_and_price() {
  const auto tool = [](const char* name, const char* parameter) -> Json {
    const Json parameters = {{"type", "object"},
                             {"properties", {{parameter, {{"type", "string"}}}}},
                             {"required", Json::array({parameter})}};
    return {{"type", "function"}, {"function", {{"name", name}, {"description", name}, {"parameters", parameters}}}};
  };
  return Json::array({tool("weather", "place"), tool("price", "food")});
}

TEST_F(Protocols, ToolsAreCalledAsAskedFor) {
  const Json named = {{"type", "function"}, {"function", {{"name", "price"}}}};
  for (const Json& choice : {Json("auto"), Json("required"), named, Json("none")}) {
    const Json body = chat("How is the weather at the museum?",
                           {{"tools", weather_and_price()}, {"tool_choice", choice}, {"max_tokens", 80}});
    const Json answer = post("/v1/chat/completions", body).json()["choices"][0];
    ASSERT_EQ(choice != "none", answer["message"].contains("tool_calls")) << answer;
    if (choice == "none") continue;
    EXPECT_EQ("tool_calls", answer["finish_reason"]);
    const Json call = answer["message"]["tool_calls"][0];
    EXPECT_EQ(choice == named ? "price" : "weather", call["function"]["name"]);
    EXPECT_TRUE(Json::parse(call["function"]["arguments"].get<std::string>()).is_object());
  }
  const Json unknown = {{"type", "function"}, {"function", {{"name", "nothing"}}}};
  EXPECT_EQ(
      400, post("/v1/chat/completions", chat("Hi", {{"tools", weather_and_price()}, {"tool_choice", unknown}})).status);
}

TEST_F(Protocols, AStreamTellsTheNameOfAToolOnce) {
  const Json body = chat("How is the weather at the museum?", {{"tools", weather_and_price()}, {"stream", true}});
  std::string names, arguments, text;
  for (const Json& event : sse_events(post("/v1/chat/completions", body).body)) {
    const Json& delta = event["choices"][0]["delta"];
    if (delta.contains("content") && delta["content"].is_string()) text += delta["content"].get<std::string>();
    for (const Json& call : delta.value("tool_calls", Json::array())) {
      names += call["function"].value("name", std::string());
      arguments += call["function"].value("arguments", std::string());
    }
  }
  EXPECT_EQ("weather", names);
  EXPECT_EQ("museum", Json::parse(arguments)["place"]);
  EXPECT_EQ("", text);
}

TEST_F(Protocols, FormatsAreKept) {
  const Json schema =
      Json::parse(R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
      "required": ["name", "age"], "additionalProperties": false})");
  const Json format = {{"type", "json_schema"}, {"json_schema", {{"name", "person"}, {"schema", schema}}}};
  const Json answer =
      post("/v1/chat/completions", chat("Write as JSON: name Jack, age 33", {{"response_format", format}})).json();
  const Json value = Json::parse(answer["choices"][0]["message"]["content"].get<std::string>());
  EXPECT_EQ("Jack", value["name"]);
  EXPECT_EQ(2u, value.size());
  EXPECT_EQ("name", value.begin().key());
  const Json grammar =
      post("/completion", {{"prompt", "Once"}, {"n_predict", 16}, {"grammar", "root ::= [a-c]{3,5}"}}).json();
  EXPECT_LE(3u, grammar["content"].get<std::string>().size());
  EXPECT_EQ(std::string::npos, grammar["content"].get<std::string>().find_first_not_of("abc"));
  EXPECT_EQ(400, post("/completion", {{"prompt", "a"}, {"grammar", "root ::= ("}}).status);
  EXPECT_EQ(400, post("/v1/chat/completions", chat("Hi", {{"response_format", {{"type", "sound"}}}})).status);
}

TEST_F(Protocols, LMStudio) {
  EXPECT_EQ("llm", ask("GET", "/api/v0/models").json()["data"][0]["type"]);
  EXPECT_TRUE(post("/api/v0/chat/completions", chat(kSum)).json()["stats"]["tokens_per_second"].is_number());
}

TEST_F(Protocols, TheSharedPrefixIsNotComputedAgain) {
  const Json body = chat("Tell me a story about an owl called Fluffy.", {{"max_tokens", 2}});
  post("/v1/chat/completions", body);
  const Json again = post("/v1/chat/completions", body).json();
  EXPECT_GT(again["timings"]["cache_n"].get<int>(), 10);
  EXPECT_EQ(again["usage"]["prompt_tokens"].get<int>(),
            again["timings"]["cache_n"].get<int>() + again["timings"]["prompt_n"].get<int>());
}

TEST_F(Protocols, EmbeddingsOfAnEncoder) {
  const auto folder = hearth::testing::golden_dir() / "models" / "bert.gguf";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "needs the golden models";
  ModelStore store;
  ASSERT_TRUE(store.add_file(folder.string()));
  Server server(store, options());
  ASSERT_TRUE(server.start());
  Client client(server.port());
  const auto send = [&](const std::string& path, const Json& body) {
    client.send(request_text("POST", path, body.dump()));
    return client.receive();
  };
  const Json one = send("/v1/embeddings", {{"input", "a cat sleeps"}}).json();
  const Json many = send("/api/embed", {{"model", "bert"}, {"input", {"a dog runs", "a cat sleeps"}}}).json();
  ASSERT_EQ(2u, many["embeddings"].size());
  double sum = 0;
  for (size_t i = 0; i < many["embeddings"][1].size(); ++i) {
    const double x = one["data"][0]["embedding"][i].get<double>();
    EXPECT_NEAR(x, many["embeddings"][1][i].get<double>(), 1e-5);
    sum += x * x;
  }
  EXPECT_NEAR(1, sum, 1e-4);
  EXPECT_TRUE(send("/v1/embeddings", {{"input", "a"}, {"encoding_format", "base64"}})
                  .json()["data"][0]["embedding"]
                  .is_string());
  EXPECT_EQ(400, send("/v1/chat/completions", chat("Hi")).status);
}

}  // namespace
}  // namespace hearth_server
