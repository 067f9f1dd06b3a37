// Who may use the server: the Host and Origin of a request, and its key.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api_error.h"

namespace hearth_server {

struct AccessOptions {
  bool loopback_only = true;      ///< every address that is listened on is a loopback one: Host is checked
  std::vector<std::string> cors;  ///< further origins; "*" in one stands for anything
  std::vector<std::string> keys;  ///< empty: none is asked for
};

class Access {
 public:
  explicit Access(AccessOptions options) : options_(std::move(options)) {}
  void set_loopback_only(bool value) { options_.loopback_only = value; }
  void set_keys(std::vector<std::string> keys);

  /// What speaks against a request (403, 401); nothing: it may pass.
  std::optional<ApiError> check(const HttpRequest& request) const;
  /// The answer to a preflight.
  HttpReply preflight(const HttpRequest& request) const;
  /// Adds the headers that let a page of an allowed origin read the reply.
  void add_headers(const HttpRequest& request, HttpReply& reply) const;

  bool allows_host(const std::string& host) const;
  bool allows_origin(const std::string& origin) const;
  bool allows_key(const HttpRequest& request) const;

 private:
  AccessOptions options_;
  mutable std::mutex mutex_;  ///< of the keys, which may be read again
};

/// Reads "[scheme://]host[:port]"; what the text does not say stays as it is, and a port that is no number becomes 0.
void read_address(std::string text, std::string& host, int& port);
/// True for an address that only this machine reaches: 127.0.0.0/8, ::1, localhost.
bool is_loopback(const std::string& host);

}  // namespace hearth_server
