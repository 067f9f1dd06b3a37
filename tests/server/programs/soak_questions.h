// What the clients of the soak ask, and what an answer says in whatever protocol it comes.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "json.h"
#include "tests/server/socket_client.h"

namespace hearth_server {

struct Question {
  std::string path;
  Json body;
  std::string answer{};  ///< when asked alone
};

/// What an answer says, however its protocol packs it; its order counts.
inline void collect_text(const Json& value, std::string& out) {
  if (value.is_array()) {
    for (const Json& part : value) collect_text(part, out);
  } else if (value.is_object()) {
    for (const auto& [key, part] : value.items()) {
      const bool says = key == "content" || key == "text" || key == "response" || key == "arguments" ||
                        key == "reasoning_content" || key == "thinking" || key == "partial_json" || key == "delta";
      if (says && part.is_string()) {
        out += part.get<std::string>();
      } else if (key == "embedding" || key == "embeddings" || key == "input") {
        out += part.dump();
      } else if (key != "prompt" && key != "generation_settings") {
        collect_text(part, out);
      }
    }
  }
}

/// The text of an answer in any of the forms: JSON, events, lines.
inline std::string text_of(const SocketAnswer& answer) {
  std::string out;
  if (answer.header("Content-Type").find("application/json") != std::string::npos) {
    collect_text(Json::parse(answer.body, nullptr, false), out);
    return out;
  }
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("data: ", 0) == 0) line.erase(0, 6);
    const Json event = Json::parse(line, nullptr, false);
    // What the Responses protocol has sent in pieces, it repeats as a whole.
    const std::string type = event.is_object() ? event.value("type", "") : "";
    if (type.ends_with(".done") || type.ends_with(".completed") || type.ends_with(".added")) continue;
    if (!event.is_discarded()) collect_text(event, out);
  }
  return out;
}

inline std::vector<Question> make_questions(const std::string& model, const std::string& other,
                                            const std::string& embedder) {
  const std::vector<std::string> texts = {
      "What is 71 plus 11?",
      "Count down from 39 to 32.",
      "Tell me a story about a fox called Rusty.",
      "Write this as a list with numbers: melon, lemon, waffle, bun",
      "Julia has a brown painting. Karl has a green toy. What does Karl have?",
      "Tell me a story about an owl called Fluffy.",
      "What is 12 plus 30?",
  };
  const auto say = [](const std::string& text) { return Json::array({{{"role", "user"}, {"content", text}}}); };
  const Json tool = {{"type", "function"},
                     {"function",
                      {{"name", "weather"},
                       {"parameters",
                        {{"type", "object"},
                         {"properties", {{"place", {{"type", "string"}}}}},
                         {"required", Json::array({"place"})}}}}}};
  const Json schema = {{"type", "object"},
                       {"properties", {{"name", {{"type", "string"}}}, {"age", {{"type", "integer"}}}}},
                       {"required", Json::array({"name", "age"})}};
  std::vector<Question> questions;
  for (size_t i = 0; i < texts.size(); ++i) {
    const Json chat = {{"model", model}, {"messages", say(texts[i])}, {"temperature", 0}, {"max_tokens", 48}};
    Json stream = chat;
    stream["stream"] = true;
    questions.push_back({"/v1/chat/completions", chat});
    questions.push_back({"/v1/chat/completions", stream});
    questions.push_back({"/v1/messages", i % 2 == 0 ? chat : stream});
    questions.push_back({"/v1/responses",
                         {{"model", model},
                          {"input", texts[i]},
                          {"temperature", 0},
                          {"max_output_tokens", 32},
                          {"stream", i % 2 == 0}}});
    questions.push_back({"/api/chat",
                         {{"model", i % 3 == 0 ? other : model},
                          {"messages", say(texts[i])},
                          {"keep_alive", "20s"},
                          {"options", {{"temperature", 0}, {"num_predict", 40}}}}});
    questions.push_back({"/completion",
                         {{"model", model},
                          {"prompt", "Once upon a time there was a " + texts[(i + 1) % texts.size()].substr(10, 8)},
                          {"n_predict", 24},
                          {"temperature", 0},
                          {"stream", i % 2 == 1},
                          {"stop", Json::array({" the"})}}});
  }
  Json call = {{"model", model}, {"messages", say("How is the weather at the museum?")}, {"temperature", 0}};
  call.update({{"tools", Json::array({tool})}, {"tool_choice", "required"}, {"max_tokens", 60}, {"stream", true}});
  questions.push_back({"/v1/chat/completions", call});
  Json person = {{"model", model}, {"messages", say("Make a person.")}, {"temperature", 0}, {"max_tokens", 60}};
  person["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "p"}, {"schema", schema}}}};
  questions.push_back({"/v1/chat/completions", person});
  Json three = {{"model", model}, {"prompt", {"Once upon a time", "Long ago"}}, {"max_tokens", 20}, {"temperature", 0}};
  questions.push_back({"/v1/completions", three});
  if (!embedder.empty()) {
    for (const std::string& text : texts) {
      questions.push_back({"/api/embed", {{"model", embedder}, {"input", {text, "a fox"}}}});
      questions.push_back({"/v1/embeddings", {{"model", embedder}, {"input", text}, {"encoding_format", "float"}}});
    }
  }
  return questions;
}

}  // namespace hearth_server
