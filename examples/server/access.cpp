// A page of any origin can make a browser send requests here, and a name that its owner lets point at 127.0.0.1 makes
// them same-origin (DNS rebinding). So foreign origins are refused, and foreign hosts where only loopback is served.
#include "access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>

#include "../store/name.h"

namespace hearth_server {
namespace {

using hearth_store::lower_case;

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// The name in "name:port", "[::1]:port".
std::string host_name(std::string host) {
  if (!host.empty() && host[0] == '[') return host.substr(1, host.find(']') - 1);
  const size_t colon = host.find(':');
  return colon != std::string::npos && host.find(':', colon + 1) == std::string::npos ? host.substr(0, colon) : host;
}

/// Loopback and the private ranges (RFC 1918, link-local, unique local).
bool is_near_address(const std::string& name) {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) {
    const uint32_t a = ntohl(v4.s_addr);
    return a == 0 || (a >> 24) == 127 || (a >> 24) == 10 || (a >> 20) == 0xAC1 || (a >> 16) == 0xC0A8 ||
           (a >> 16) == 0xA9FE;
  }
  if (::inet_pton(AF_INET6, name.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) ||
         (v6.s6_addr[0] & 0xFE) == 0xFC;
}

/// A name that stands for this machine or its neighbours, and that no foreign domain can take.
bool is_near_name(const std::string& name) {
  if (name == "localhost" || is_near_address(name)) return true;
  char own[256] = "";
  ::gethostname(own, sizeof own - 1);
  return name == lower_case(own) || ends_with(name, ".localhost") || ends_with(name, ".local") ||
         ends_with(name, ".internal");
}

/// Whether a request comes from a page of this server itself, under an address that does not depend on anybody's DNS.
bool is_own_page(const std::string& origin, const std::string& host) {
  const std::string name = lower_case(host_name(host));
  in_addr v4{};
  in6_addr v6{};
  const bool is_address = ::inet_pton(AF_INET, name.c_str(), &v4) == 1 || ::inet_pton(AF_INET6, name.c_str(), &v6) == 1;
  return (is_address || is_near_name(name)) && lower_case(origin) == "http://" + lower_case(host);
}

/// Whether `text` fits a pattern in which * stands for anything.
bool fits(std::string_view pattern, std::string_view text) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (text.substr(0, star) != pattern.substr(0, star)) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t i = star; i <= text.size(); ++i)
    if (fits(rest, text.substr(i))) return true;
  return false;
}

/// Takes a time that does not depend on where the texts differ.
bool equal_in_constant_time(const std::string& a, const std::string& b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference = static_cast<unsigned char>(difference | (a[i] ^ other));
  }
  return difference == 0;
}

}  // namespace

void read_address(std::string text, std::string& host, int& port) {
  if (const size_t scheme = text.find("://"); scheme != std::string::npos) {
    port = text.compare(0, scheme, "https") == 0 ? 443 : 80;
    text.erase(0, scheme + 3);
  }
  text = text.substr(0, text.find('/'));
  const size_t bracket = text.find(']'), colon = text.rfind(':');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos ? text.find(':') == colon : colon > bracket);
  if (has_port) {
    port = std::atoi(text.c_str() + colon + 1);
    text.resize(colon);
  }
  if (text.size() > 2 && text[0] == '[') text = text.substr(1, text.size() - 2);
  if (!text.empty()) host = text;
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return lower_case(host) == "localhost";
}

void Access::set_keys(std::vector<std::string> keys) {
  const std::lock_guard lock(mutex_);
  options_.keys = std::move(keys);
}

bool Access::allows_host(const std::string& host) const {
  if (!options_.loopback_only || host.empty()) return true;
  std::string name = lower_case(host_name(host));
  if (!name.empty() && name.back() == '.') name.pop_back();
  return is_near_name(name);
}

bool Access::allows_origin(const std::string& origin) const {
  const std::string text = lower_case(origin);
  for (const char* scheme : {"app://", "file://", "tauri://", "vscode-webview://", "vscode-file://",
                             "chrome-extension://", "moz-extension://", "safari-web-extension://"}) {
    if (text.rfind(scheme, 0) == 0) return true;
  }
  for (const char* scheme : {"http://", "https://"}) {
    if (text.rfind(scheme, 0) != 0) continue;
    const std::string name = host_name(text.substr(std::string_view(scheme).size()));
    if (is_loopback(name) || name == "0.0.0.0" || ends_with(name, ".localhost")) return true;
  }
  return std::any_of(options_.cors.begin(), options_.cors.end(),
                     [&](const std::string& pattern) { return fits(lower_case(pattern), text); });
}

bool Access::allows_key(const HttpRequest& request) const {
  const std::lock_guard lock(mutex_);
  if (options_.keys.empty()) return true;
  std::string given = request.header_or_empty("authorization");
  if (lower_case(given.substr(0, 7)) == "bearer ") given.erase(0, 7);
  bool found = false;
  for (const std::string& sent : {given, request.header_or_empty("x-api-key"), request.header_or_empty("api-key")}) {
    for (const std::string& key : options_.keys) found = equal_in_constant_time(key, sent) || found;
  }
  return found;
}

std::optional<ApiError> Access::check(const HttpRequest& request) const {
  const std::string host = request.header_or_empty("host"), origin = request.header_or_empty("origin");
  if (!allows_host(host)) {
    return ApiError(403, "the Host '" + host.substr(0, 200) + "' is not this machine (listen on another address, or " +
                             "use a name that ends in .localhost, .local or .internal)");
  }
  if (!origin.empty() && !allows_origin(origin) && !is_own_page(origin, host)) {
    return ApiError(403, "pages of the origin '" + origin.substr(0, 200) + "' may not use this server (see --cors)");
  }
  // The page itself holds no secret; it asks its user for the key.
  const bool is_free = request.method == "OPTIONS" || request.path == "/health" || request.path == "/v1/health" ||
                       request.path == "/" || request.path.rfind("/assets/", 0) == 0;
  if (!is_free && !allows_key(request)) return ApiError(401, "the API key is missing or wrong", "invalid_api_key");
  return std::nullopt;
}

void Access::add_headers(const HttpRequest& request, HttpReply& reply) const {
  const std::string origin = request.header_or_empty("origin");
  if (origin.empty() || !allows_origin(origin)) return;
  reply.headers.emplace_back("Access-Control-Allow-Origin", origin);
  reply.headers.emplace_back("Vary", "Origin");
}

HttpReply Access::preflight(const HttpRequest& request) const {
  HttpReply reply;
  reply.status = 204;
  reply.type.clear();
  const std::string asked = request.header_or_empty("access-control-request-headers");
  reply.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS");
  reply.headers.emplace_back("Access-Control-Allow-Headers",
                             asked.empty() ? "Authorization, Content-Type, X-Api-Key, Api-Key" : asked);
  reply.headers.emplace_back("Access-Control-Max-Age", "43200");
  if (!request.header_or_empty("access-control-request-private-network").empty()) {
    reply.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
  }
  return reply;
}

}  // namespace hearth_server
