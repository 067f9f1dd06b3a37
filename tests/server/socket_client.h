// A client that speaks HTTP by hand on a socket of this machine, so that a test can send what no library would.
#pragma once

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <cstdlib>
#include <string>

#include "tests/support/loopback.h"

namespace hearth_server {

struct SocketAnswer {
  int status = 0;
  std::string head;
  std::string body;       ///< chunks joined
  bool complete = false;  ///< the body has come as a whole

  bool has_header(const std::string& line) const { return head.find("\r\n" + line) != std::string::npos; }
  std::string header(const std::string& name) const {
    const size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

/// A connection to a port. A read waits at most 20 seconds, unless told otherwise.
class SocketClient {
 public:
  explicit SocketClient(int port, int seconds = 20) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in address = hearth::testing::loopback(port);
    const timeval limit{seconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~SocketClient() { ::close(fd_); }
  SocketClient(const SocketClient&) = delete;

  bool is_connected() const { return connected_; }
  void send(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
  }
  /// Everything up to and including `end`; what there was, when the connection ends before.
  std::string read_to(const std::string& end) {
    size_t searched = 0;
    for (;;) {
      const size_t at = in_.find(end, searched);
      if (at != std::string::npos) return take(at + end.size());
      searched = in_.size() < end.size() ? 0 : in_.size() - end.size() + 1;
      if (!fill()) return take(in_.size());
    }
  }
  /// The head of an answer.
  SocketAnswer receive_head() {
    SocketAnswer answer;
    answer.head = "\r\n" + read_to("\r\n\r\n");
    if (answer.head.size() > 12) answer.status = std::atoi(answer.head.c_str() + 11);
    return answer;
  }
  /// The next piece of a body in chunks; empty after the last, or when the connection ends.
  std::string receive_chunk(bool& ended) {
    const std::string size = read_to("\r\n");
    const size_t n = std::strtoull(size.c_str(), nullptr, 16);
    std::string chunk = read_bytes(n + 2);
    ended = !size.empty() && n == 0;
    return chunk.size() == n + 2 ? chunk.substr(0, n) : "";
  }
  /// One answer, whose body has a length or comes in chunks.
  SocketAnswer receive(bool without_body = false) {
    SocketAnswer answer = receive_head();
    if (without_body) return answer;
    if (answer.has_header("Transfer-Encoding: chunked")) {
      for (std::string chunk; !(chunk = receive_chunk(answer.complete)).empty();) answer.body += chunk;
    } else if (const std::string length = answer.header("Content-Length"); !length.empty()) {
      const size_t n = std::strtoull(length.c_str(), nullptr, 10);
      answer.body = read_bytes(n);
      answer.complete = answer.body.size() == n;
    }
    return answer;
  }
  bool is_closed() { return in_.empty() && !fill(); }
  int fd() const { return fd_; }

 private:
  bool fill() {
    char buffer[16384];
    ssize_t n = 0;
    do n = ::recv(fd_, buffer, sizeof buffer, 0);
    while (n < 0 && errno == EINTR);  // a process that was stopped goes on
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
    return take(std::min(n, in_.size()));
  }

  int fd_;
  bool connected_ = false;
  std::string in_;
};

inline std::string request_bytes(const std::string& method, const std::string& path, const std::string& body = "",
                                 const std::string& headers = "") {
  return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers +
         (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
}

}  // namespace hearth_server
