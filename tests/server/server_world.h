// A server over the model of examples/models, in the test's own process, and a client that speaks HTTP by hand, so that
// a test can send what no library would.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "server.h"
#include "support/golden.h"
#include "support/paths.h"

namespace hearth_server {

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

struct Answer {
  int status = 0;
  std::string head;
  std::string body;  ///< chunks joined
  Json json() const { return Json::parse(body, nullptr, false); }
  bool has_header(const std::string& line) const { return head.find("\r\n" + line) != std::string::npos; }
};

/// A connection to a port of this machine. A read waits at most 20 seconds.
class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(0, ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;

  void send(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
  }
  /// Everything up to and including `end`; what there was, when the connection ends before.
  std::string read_to(const std::string& end) {
    while (in_.find(end) == std::string::npos && fill()) {
    }
    const size_t at = in_.find(end);
    return take(at == std::string::npos ? in_.size() : at + end.size());
  }
  /// One answer, whose body has a length or comes in chunks.
  Answer receive() {
    Answer answer;
    answer.head = "\r\n" + read_to("\r\n\r\n");
    if (answer.head.size() > 12) answer.status = std::atoi(answer.head.c_str() + 11);
    const size_t length = answer.head.find("\r\nContent-Length: ");
    if (answer.has_header("Transfer-Encoding: chunked")) {
      for (;;) {
        const std::string size = read_to("\r\n");
        const size_t n = std::strtoull(size.c_str(), nullptr, 16);
        const std::string chunk = read_bytes(n + 2);
        if (n == 0 || size.empty()) break;
        answer.body += chunk.substr(0, n);
      }
    } else if (length != std::string::npos) {
      answer.body = read_bytes(std::strtoull(answer.head.c_str() + length + 18, nullptr, 10));
    }
    return answer;
  }
  bool is_closed() { return in_.empty() && !fill(); }

 private:
  bool fill() {
    char buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n > 0) in_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }
  std::string take(size_t n) {
    std::string out = in_.substr(0, n);
    in_.erase(0, n);
    return out;
  }
  std::string read_bytes(size_t n) {
    while (in_.size() < n && fill()) {
    }
    return take(n);
  }

  int fd_;
  std::string in_;
};

inline std::string request_text(const std::string& method, const std::string& path, const std::string& body = "",
                                const std::string& headers = "") {
  return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers +
         (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
}

/// One server for all tests of a suite.
class ServerTest : public ::testing::Test {
 protected:
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
  static void SetUpTestSuite() {
    store_ = std::make_unique<ModelStore>();
    ASSERT_TRUE(store_->add_file(kSmallWorld));
    server_ = std::make_unique<Server>(*store_, options());
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  static void TearDownTestSuite() {
    server_.reset();
    store_.reset();
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
