// Making requests by changing good ones, and judging what comes back.
#include "request_fuzzer.h"

#include <array>
#include <random>

#include "request_seeds.h"

namespace hearth_server {
namespace {

class Dice {
 public:
  Dice(uint64_t seed, uint64_t index) : random_(seed * 0x9E3779B97F4A7C15ULL + index * 2 + 1) {}
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(random_() % n); }
  bool chance(size_t one_in) { return below(one_in) == 0; }
  template <class T, size_t N>
  const T& of(const T (&list)[N]) {
    return list[below(N)];
  }

 private:
  std::mt19937_64 random_;
};

// A value that is no JSON travels through the tree as a text with this mark, and loses it when the tree is written.
const std::string kMark = "\x01raw:";

Json odd(Dice& dice) {
  if (dice.chance(20)) return kMark + std::string(dice.below(300), '[');
  if (dice.chance(20)) return std::string(dice.below(20000), 'w');
  if (dice.chance(30)) {
    Json list = Json::array();
    for (size_t i = dice.below(400); i > 0; --i) list.push_back(i);
    return list;
  }
  const std::string text = dice.of(kOdd);
  const Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(kMark + text) : value;
}

/// A place somewhere in a value, each level as likely.
Json& place_in(Json& value, Dice& dice) {
  Json* at = &value;
  while (!at->empty() && at->is_structured() && !dice.chance(4)) {
    auto next = at->begin();
    std::advance(next, static_cast<std::ptrdiff_t>(dice.below(at->size())));
    at = &*next;
  }
  return *at;
}

void change(Json& body, Dice& dice) {
  Json& place = place_in(body, dice);
  switch (dice.below(6)) {
    case 0:
      if (place.is_object() && !place.empty()) {
        auto key = place.begin();
        std::advance(key, static_cast<std::ptrdiff_t>(dice.below(place.size())));
        place.erase(key);
        return;
      }
      [[fallthrough]];
    case 1:
      if (place.is_object()) return void(place[dice.of(kFields)] = odd(dice));
      [[fallthrough]];
    case 2:
      if (place.is_array() && !place.empty()) {
        const Json copy = place[dice.below(place.size())];
        for (size_t i = dice.below(4); i > 0; --i) place.push_back(copy);
        return;
      }
      [[fallthrough]];
    case 3: {
      const Json other = place_in(body, dice);
      if (other.dump(-1, ' ', false, Json::error_handler_t::replace).size() < 4000) place = other;
      return;
    }
    default: place = odd(dice);
  }
}

/// The JSON of a body in which marked texts stand for themselves.
std::string written(const Json& body) {
  std::string text = body.dump(-1, ' ', false, Json::error_handler_t::ignore);
  const std::string open = "\"\\u0001raw:";
  for (size_t at = 0; (at = text.find(open, at)) != std::string::npos;) {
    size_t end = at + open.size();
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    std::string raw;
    for (size_t i = at + open.size(); i < end && i < text.size(); ++i) {
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      raw += text[i];
    }
    text.replace(at, std::min(end + 1, text.size()) - at, raw);
    at += raw.size();
  }
  return text;
}

void scramble(std::string& text, Dice& dice) {
  for (size_t i = 1 + dice.below(3); i > 0 && !text.empty(); --i) {
    const size_t at = dice.below(text.size());
    switch (dice.below(5)) {
      case 0: text.resize(at); break;
      case 1: text[at] = static_cast<char>(dice.below(256)); break;
      case 2: text.insert(at, text.substr(dice.below(text.size()), 20)); break;
      case 3: text.erase(at, 1 + dice.below(8)); break;
      default: text.insert(at, 1, "{}[]\",:\\\n\0"[dice.below(10)]);
    }
  }
}

std::string with_names(std::string text, const std::string& model, const std::string& embedder) {
  for (const auto& [from, to] : {std::pair<std::string, std::string>("$M", model), {"$E", embedder}}) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, 2, to);
  }
  return text;
}

/// Collects a stream; its reader may leave after some bytes.
class Reader final : public StreamWriter {
 public:
  explicit Reader(size_t most) : most_(most) {}
  bool write(std::string_view data) override {
    text += data;
    return is_open();
  }
  bool is_open() override { return text.size() < most_; }
  std::string text;

 private:
  size_t most_;
};

/// Lines of a stream: each holds a JSON value behind `prefix`.
std::string judge_lines(const std::string& body, const std::string& prefix, bool complete) {
  if (complete && !body.empty() && body.back() != '\n') return "the stream ends within a line";
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find('\n', at);
    if (end == std::string::npos) break;
    const std::string line = body.substr(at, end - at);
    at = end + 1;
    const bool is_data = line.rfind(prefix, 0) == 0;
    if (!prefix.empty() && (line.empty() || line == ":" || line.rfind("event: ", 0) == 0)) continue;
    if (!is_data) return "a line of the stream is none of its protocol: " + line.substr(0, 100);
    const std::string data = line.substr(prefix.size());
    if (data != "[DONE]" && !Json::accept(data)) return "an event of the stream is no JSON: " + data.substr(0, 200);
  }
  return "";
}

}  // namespace

HttpRequest RequestFuzzer::make(uint64_t seed, uint64_t index) const {
  Dice dice(seed, index);
  const Seed& good = dice.of(kSeeds);
  HttpRequest request;
  request.method = good.method;
  request.peer = "127.0.0.1";
  std::string target = with_names(good.path, model_, embedder_);
  const size_t mark = target.find('?');
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  request.path = target.substr(0, mark);
  request.headers = {{"host", "127.0.0.1"}};
  std::string text = with_names(good.body, model_, embedder_);
  if (!text.empty()) {
    Json body = Json::parse(text, nullptr, false);
    if (!body.is_discarded()) {
      for (size_t i = dice.below(5); i > 0; --i) change(body, dice);
      text = written(body);
    }
    if (dice.chance(8)) scramble(text, dice);
    request.body = std::move(text);
  }
  if (dice.chance(40)) request.path = dice.of(kSeeds).path;
  if (dice.chance(60)) scramble(request.path, dice);
  if (dice.chance(40)) {
    constexpr const char* kMethods[] = {"GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "BREW"};
    request.method = dice.of(kMethods);
  }
  if (dice.chance(20)) request.headers.emplace_back("origin", dice.chance(2) ? "http://localhost:3000" : "http://a.b");
  if (dice.chance(20)) request.headers.emplace_back("authorization", "Bearer ");
  return request;
}

std::string RequestFuzzer::wire(const HttpRequest& request, uint64_t seed, uint64_t index) {
  Dice dice(~seed, index);
  std::string path;
  for (const char c : request.path) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 127 && c != '?' && c != '#' && c != '%') {
      path += c;
    } else {
      path += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  std::string head = request.method + " " + (path.empty() ? "/" : path) +
                     (request.query.empty() ? "" : "?" + request.query) + " HTTP/1.1\r\n";
  for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
  if (dice.chance(4) && !request.body.empty()) {
    std::string chunks;
    for (size_t at = 0; at < request.body.size();) {
      const size_t n = std::min(request.body.size() - at, 1 + dice.below(2000));
      char size[20];
      std::snprintf(size, sizeof size, "%zx\r\n", n);
      chunks += size + request.body.substr(at, n) + "\r\n";
      at += n;
    }
    head += "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n";
  } else {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
  }
  if (dice.chance(10)) scramble(head, dice);
  return head;
}

std::string RequestFuzzer::judge(const std::string& path, int status, const std::string& type, const std::string& body,
                                 bool complete) {
  const auto is = [&](const char* what) { return type.find(what) != std::string::npos; };
  if (status < 200 || status > 599) return "the status is " + std::to_string(status);
  if (status >= 400) {
    const Json json = Json::parse(body, nullptr, false);
    const bool by_ollama = protocol_of(path) == Protocol::kOllama;
    if (!json.is_object() || !json.contains("error")) return "an error without an object that says why";
    const Json& error = json["error"];
    const Json message = by_ollama ? error : error.is_object() ? error.value("message", Json()) : Json();
    if (!message.is_string() || message.get<std::string>().empty()) return "an error without words";
    // What Ollama's clients get when a registry cannot be reached.
    const bool is_pull = status == 500 && path == "/api/pull" && message.get<std::string>().starts_with("pull model");
    if (is_pull) return "";
    if (status == 500 || (status > 501 && status != 503 && status != 505)) {
      return "a fault of the server: " + message.get<std::string>();
    }
    return "";
  }
  if (is("application/x-ndjson")) return judge_lines(body, "", complete);
  if (is("text/event-stream")) return judge_lines(body, "data: ", complete);
  if (is("application/json") && complete && !body.empty() && !Json::accept(body)) return "the answer is no JSON";
  return "";
}

Verdict RequestFuzzer::answer(Server& server, HttpRequest request, uint64_t seed, uint64_t index) {
  Dice dice(seed ^ 0x5555, index);
  const size_t leaves_after = dice.chance(6) ? dice.below(2000) : SIZE_MAX;
  int n_looks = dice.chance(12) ? static_cast<int>(dice.below(4)) : INT32_MAX;
  const std::string path = request.path, method = request.method;
  const StillThere still_there = [&n_looks] { return n_looks-- > 0; };
  const HttpReply reply = server.answer(request, still_there);
  if (reply.status == 499) return {reply.status, ""};
  Reader reader(leaves_after);
  if (reply.stream) reply.stream(reader);
  const std::string& body = reply.stream ? reader.text : reply.body;
  return {reply.status, judge(path, reply.status, reply.type, body, reader.is_open())};
}

}  // namespace hearth_server
