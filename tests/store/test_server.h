// A server of HTTP on loopback for tests of pulls: files with ranges, connections that are cut, and answers that lie.
// Every file is served by a function of the test's, so that a test can say anything.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/loopback.h"

namespace hearth_store {

class TestServer {
 public:
  struct Request {
    std::string path;                            ///< with its query
    std::map<std::string, std::string> headers;  ///< names in lower case
    /// First byte of "Range: bytes=N-"; 0 when there is none.
    size_t offset() const {
      const auto range = headers.find("range");
      return range == headers.end() ? 0 : std::strtoull(range->second.c_str() + 6, nullptr, 10);
    }
  };
  struct Reply {
    int status = 200;
    std::vector<std::string> headers{};
    std::string body{};
    int64_t claimed_length = -1;           ///< Content-Length; -1: the body's
    size_t cut_after = std::string::npos;  ///< bytes of the body, then the connection ends
  };
  using Handler = std::function<Reply(const Request&)>;

  explicit TestServer(Handler handler) : handler_(std::move(handler)), thread_([this] { serve(); }) {}
  ~TestServer() {
    ending_ = true;
    thread_.join();
  }
  TestServer(const TestServer&) = delete;

  std::string host() const { return "127.0.0.1:" + std::to_string(listener_.port()); }
  std::string url(const std::string& path) const { return "http://" + host() + path; }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  /// A file as a server with ranges sends it.
  static Reply file(const Request& request, const std::string& bytes, size_t cut_after = std::string::npos) {
    const size_t offset = request.offset();
    if (offset >= bytes.size() && offset > 0) return {.status = 416};
    Reply reply{.status = offset > 0 ? 206 : 200, .body = bytes.substr(offset), .cut_after = cut_after};
    if (offset > 0) {
      reply.headers.push_back("Content-Range: bytes " + std::to_string(offset) + "-" +
                              std::to_string(bytes.size() - 1) + "/" + std::to_string(bytes.size()));
    }
    return reply;
  }

 private:
  void serve() {
    while (!ending_) {
      pollfd waiting{listener_.fd(), POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int fd = ::accept(listener_.fd(), nullptr, nullptr);
      if (fd < 0) continue;
      answer(fd);
      ::close(fd);
    }
  }
  void answer(int fd) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      text.append(buffer, static_cast<size_t>(n));
    }
    Request request;
    const size_t space = text.find(' ');
    request.path = text.substr(space + 1, text.find(' ', space + 1) - space - 1);
    for (size_t at = text.find("\r\n") + 2; text.substr(at, 2) != "\r\n";) {
      const size_t end = text.find("\r\n", at), colon = text.find(':', at);
      std::string name = text.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      request.headers[name] = text.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const Reply reply = handler_(request);
    const auto length = reply.claimed_length >= 0 ? reply.claimed_length : static_cast<int64_t>(reply.body.size());
    std::string out = "HTTP/1.1 " + std::to_string(reply.status) +
                      " X\r\nConnection: close\r\nContent-Length: " + std::to_string(length) + "\r\n";
    for (const std::string& header : reply.headers) out += header + "\r\n";
    out += "\r\n" + reply.body.substr(0, reply.cut_after);
    for (size_t at = 0; at < out.size();) {
      const ssize_t n = ::send(fd, out.data() + at, out.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
    ::shutdown(fd, SHUT_WR);
    // What the client still sends is read, so that the end arrives behind the bytes.
    while (::recv(fd, buffer, sizeof buffer, 0) > 0 && !ending_) {
    }
  }

  Handler handler_;
  const hearth::testing::LoopbackListener listener_;
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

}  // namespace hearth_store
