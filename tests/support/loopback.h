// Sockets on this machine's own address, for servers and clients that tests make.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>

namespace hearth::testing {

/// 127.0.0.1 and a port.
inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

/// A socket that listens on a port; 0: on any that is free.
class LoopbackListener {
 public:
  explicit LoopbackListener(int port = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(port);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd_, 16) != 0) return;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~LoopbackListener() { ::close(fd_); }
  LoopbackListener(const LoopbackListener&) = delete;

  int fd() const { return fd_; }
  int port() const { return port_; }  ///< 0: it could not be had

 private:
  int fd_;
  int port_ = 0;
};

/// A port that was free a moment ago, with `n` free ones behind it; 0: there was none.
inline int free_port(int n = 0) {
  for (int tries = 0; tries < 50; ++tries) {
    std::deque<LoopbackListener> taken;
    const int first = taken.emplace_back().port();
    bool ok = first > 0;
    for (int i = 1; i <= n && ok; ++i) ok = taken.emplace_back(first + i).port() > 0;
    if (ok) return first;
  }
  return 0;
}

}  // namespace hearth::testing
