// HTTP over sockets of POSIX systems.
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>

#include "near_server.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

Result<std::string> get_from_server(const std::string& host, const std::string& port, const std::string& path) {
  const auto refused = [&](const char* what) {
    return Error{ErrorCode::kIo,
                 "no server answers at " + host + ":" + port + " (" + what + "); hearth serve starts one"};
  };
  addrinfo hints{}, *addresses = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &addresses) != 0) return refused("the name is not known");
  int fd = -1;
  for (const addrinfo* one = addresses; one != nullptr && fd < 0; one = one->ai_next) {
    fd = ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, 0);
    const timeval limit{5, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(fd, one->ai_addr, one->ai_addrlen) != 0) {
      ::close(fd);
      fd = -1;
    }
  }
  ::freeaddrinfo(addresses);
  if (fd < 0) return refused("the connection is refused");
  std::string request = "GET " + path + " HTTP/1.0\r\nHost: " + host + "\r\nConnection: close\r\n";
  if (const char* key = std::getenv("HEARTH_API_KEY")) request += "Authorization: Bearer " + std::string(key) + "\r\n";
  request += "\r\n";
  std::string answer;
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[1 << 14];
    for (ssize_t n = 0; answer.size() < 8 << 20 && (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  const size_t body = answer.find("\r\n\r\n");
  if (body == std::string::npos) return refused("what answers does not speak HTTP");
  if (answer.find(" 200 ") > answer.find("\r\n")) return refused(answer.substr(0, answer.find("\r\n")).c_str());
  return answer.substr(body + 4);
}

}  // namespace hearth_tool
