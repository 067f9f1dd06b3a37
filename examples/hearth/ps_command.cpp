// hearth ps: what a running server has in memory.
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "commands.h"
#include "json_output.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

struct PsOptions {
  std::string host;
  bool json = false;
};

/// The answer's body to a GET, from a server of this machine or a near one.
Result<std::string> get(const std::string& host, const std::string& port, const std::string& path) {
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

int ps(const PsOptions& o) {
  std::string host = o.host;
  if (const char* given = std::getenv("OLLAMA_HOST"); host.empty() && given != nullptr) host = given;
  if (const size_t scheme = host.find("://"); scheme != std::string::npos) host.erase(0, scheme + 3);
  host = host.substr(0, host.find('/'));
  std::string port = "11434";
  const size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(':') == colon) {
    port = host.substr(colon + 1);
    host.resize(colon);
  }
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  const auto body = get(host, port, "/api/ps");
  if (!body) return fail(body.error());
  const Json answer = Json::parse(*body, nullptr, false);
  if (!answer.is_object() || !answer.contains("models") || !answer["models"].is_array())
    return fail("what answers at " + host + ":" + port + " is no server of models");
  if (o.json) {
    print_json(answer);
    return finish_output();
  }
  char line[256];
  std::snprintf(line, sizeof line, "%-40s %12s %8s  %s\n", "NAME", "MEMORY", "CONTEXT", "UNTIL");
  print(line);
  for (const Json& model : answer["models"]) {
    if (!model.is_object()) continue;
    std::snprintf(line, sizeof line, "%-40.100s %12s %8lld  %s\n",
                  printable(model.value("name", "?"), false, 80).c_str(),
                  format_bytes(model.value("size", uint64_t{0})).c_str(),
                  static_cast<long long>(model.value("context_length", int64_t{0})),
                  printable(model.value("expires_at", ""), false, 40).c_str());
    print(line);
  }
  return finish_output();
}

}  // namespace

Action setup_ps(Options& options) {
  auto values = std::make_shared<PsOptions>();
  options.add("--host", values->host, "Server as HOST:PORT (default: OLLAMA_HOST, or 127.0.0.1:11434)");
  options.add("--json", values->json, "Print what the server says, as JSON");
  return [values] { return ps(*values); };
}

}  // namespace hearth_tool
