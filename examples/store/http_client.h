// HTTP for fetching models: libcurl behind what a pull needs. Proxies are those of the environment (https_proxy,
// http_proxy, no_proxy); certificates are always checked.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"

namespace hearth_store {

struct HttpAsk {
  std::string url{};
  std::vector<std::string>
      headers{};             ///< "Name: value"; Authorization goes to the host of `url` alone, not along redirects
  uint64_t offset = 0;       ///< bytes that are there already: the rest is asked for
  bool allow_plain = false;  ///< http:// is taken, too; otherwise it is an error, also behind a redirect
};

struct HttpTold {
  long status = 0;
  std::map<std::string, std::string> headers{};  ///< names in lower case; of the last answer, and x-linked-etag of any
  uint64_t offset = 0;                           ///< where the body begins: 0, or that of a partial answer
  int64_t total = -1;                            ///< bytes of the whole; -1: not said
};

/// Sees the head of the answer before its body; false ends the transfer (kCancelled).
using SeeHead = std::function<bool(const HttpTold& told)>;
/// Takes bytes of a body; false ends the transfer.
using TakeBytes = std::function<bool(std::string_view bytes)>;
/// Asked several times a second; true ends the transfer.
using IsStopped = std::function<bool()>;

/// Whether this build has libcurl.
bool can_fetch();

/// GET, redirects followed. Bodies of errors (400 and above) go to `take` as well. kIo says in plain words what failed:
/// no such host, nobody answers, a certificate, a cut connection. kCancelled; kUnsupported without libcurl.
hearth::Result<HttpTold> http_get(const HttpAsk& ask, const SeeHead& see, const TakeBytes& take,
                                  const IsStopped& is_stopped = {});
/// A small body, whole. kLimit when it is longer than `limit`.
struct HttpText {
  HttpTold told;
  std::string body;
};
hearth::Result<HttpText> http_text(const HttpAsk& ask, size_t limit, const IsStopped& is_stopped = {});

/// Parts of "https://user@host:port/path": "https", "host:port", "/path". Empty host: it is no such address.
struct UrlParts {
  std::string scheme, host, path;
};
UrlParts split_url(const std::string& url);
/// Whether a host (with or without port) is this machine itself.
bool is_loopback_host(const std::string& host);
/// A path's part for an address: what is no letter, digit, "-._~" or "/" becomes %XX.
std::string escape_path(std::string_view path);

}  // namespace hearth_store
