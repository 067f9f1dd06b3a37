// libcurl, one transfer at a time.
#include "http_client.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "name.h"

#ifdef HEARTH_CURL
#include <curl/curl.h>
#endif

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

UrlParts split_url(const std::string& url) {
  UrlParts parts;
  const size_t colon = url.find("://");
  if (colon == std::string::npos) return parts;
  parts.scheme = lower_case(url.substr(0, colon));
  const size_t begin = colon + 3, end = std::min(url.find_first_of("/?#", begin), url.size());
  parts.host = url.substr(begin, end - begin);
  if (const size_t at = parts.host.rfind('@'); at != std::string::npos) parts.host.erase(0, at + 1);
  parts.path = url.substr(end);
  return parts;
}

bool is_loopback_host(const std::string& host) {
  const std::string name = lower_case(host);
  for (const char* own : {"127.0.0.1", "localhost", "[::1]"}) {
    if (name == own || name.starts_with(std::string(own) + ":")) return true;
  }
  return false;
}

std::string escape_path(std::string_view path) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    const auto byte = static_cast<unsigned char>(c);
    out += plain ? std::string(1, c) : std::string{'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

#ifndef HEARTH_CURL

bool can_fetch() {
  return false;
}

Result<HttpTold> http_get(const HttpAsk&, const SeeHead&, const TakeBytes&, const IsStopped&) {
  return Error{ErrorCode::kUnsupported, "this build fetches nothing: it was made without libcurl"};
}

#else

bool can_fetch() {
  return true;
}

namespace {

/// What one transfer knows while it runs.
struct Transfer {
  const HttpAsk& ask;
  const SeeHead& see;
  const TakeBytes& take;
  const IsStopped& is_stopped;
  CURL* curl = nullptr;
  HttpTold told{};
  bool head_seen = false, refused = false, stopped = false;

  /// Reads the head once it is complete; false: the caller wants no body.
  bool show_head() {
    if (head_seen) return true;
    head_seen = true;
    ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &told.status);
    const auto header = [&](const char* name) {
      const auto found = told.headers.find(name);
      return found == told.headers.end() ? std::string() : found->second;
    };
    if (const std::string length = header("content-length"); !length.empty())
      told.total = std::strtoll(length.c_str(), nullptr, 10);
    if (told.status == 206) {  // "bytes 5-9/10"
      const std::string range = header("content-range");
      const size_t slash = range.find('/');
      told.offset = range.starts_with("bytes ") ? std::strtoull(range.c_str() + 6, nullptr, 10) : 0;
      const bool says_total = slash != std::string::npos && slash + 1 < range.size() && range[slash + 1] != '*';
      told.total = says_total ? std::strtoll(range.c_str() + slash + 1, nullptr, 10) : -1;
    }
    refused = see && !see(told);
    return !refused;
  }
};

size_t take_header(char* data, size_t, size_t n, void* of) {
  auto& transfer = *static_cast<Transfer*>(of);
  std::string line(data, n);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
  if (line.starts_with("HTTP/")) {  // another answer begins: that of a redirect, or of a proxy
    std::erase_if(transfer.told.headers, [](const auto& header) { return header.first != "x-linked-etag"; });
    return n;
  }
  const size_t colon = line.find(':');
  if (colon == std::string::npos || transfer.told.headers.size() > 200) return n;
  const size_t begin = line.find_first_not_of(" \t", colon + 1);
  transfer.told.headers[lower_case(line.substr(0, colon))] = begin == std::string::npos ? "" : line.substr(begin);
  return n;
}

size_t take_body(char* data, size_t, size_t n, void* of) {
  auto& transfer = *static_cast<Transfer*>(of);
  if (!transfer.show_head()) return 0;
  if (transfer.take && !transfer.take(std::string_view(data, n))) {
    transfer.refused = true;
    return 0;
  }
  return n;
}

int look_around(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(of);
  transfer.stopped = transfer.stopped || (transfer.is_stopped && transfer.is_stopped());
  return transfer.stopped ? 1 : 0;
}

/// What went wrong, in words that help.
Error explain(CURLcode code, const HttpAsk& ask, CURL* curl, const char* details) {
  char* effective = nullptr;
  ::curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &effective);
  const std::string host = shown(split_url(effective != nullptr ? effective : ask.url).host);
  const std::string more = *details != '\0' ? std::string(" (") + details + ")" : std::string();
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return Error{ErrorCode::kIo,
                   "the host " + host + " is not found: is there a network? Behind a proxy, set https_proxy"};
    case CURLE_COULDNT_RESOLVE_PROXY: return Error{ErrorCode::kIo, "the proxy of the environment is not found" + more};
    case CURLE_COULDNT_CONNECT: return Error{ErrorCode::kIo, "nobody answers at " + host + more};
    case CURLE_OPERATION_TIMEDOUT: return Error{ErrorCode::kIo, host + " has stopped sending" + more};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return Error{ErrorCode::kIo, "the certificate of " + host + " is not one to trust" + more};
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Error{ErrorCode::kInvalidArgument, host + ": only https is fetched from other machines"};
    case CURLE_TOO_MANY_REDIRECTS: return Error{ErrorCode::kIo, host + " sends round in circles"};
    case CURLE_URL_MALFORMAT: return Error{ErrorCode::kInvalidArgument, shown(ask.url) + " is no address"};
    default: break;
  }
  return Error{ErrorCode::kIo, "the connection to " + host + " failed: " + ::curl_easy_strerror(code) + more};
}

}  // namespace

Result<HttpTold> http_get(const HttpAsk& ask, const SeeHead& see, const TakeBytes& take, const IsStopped& is_stopped) {
  static const CURLcode initialized = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&::curl_easy_cleanup)> curl(::curl_easy_init(), &::curl_easy_cleanup);
  if (initialized != CURLE_OK || !curl) return Error{ErrorCode::kOutOfMemory, "libcurl does not start"};
  Transfer transfer{ask, see, take, is_stopped, curl.get()};
  char details[CURL_ERROR_SIZE] = "";
  curl_slist* list = nullptr;
  for (const std::string& header : ask.headers) list = ::curl_slist_append(list, header.c_str());
  const std::unique_ptr<curl_slist, decltype(&::curl_slist_free_all)> headers(list, &::curl_slist_free_all);
  const char* protocols = ask.allow_plain ? "http,https" : "https";
  const auto set = [&](auto option, auto value) { ::curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, ask.url.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_USERAGENT, "hearth");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 10L);
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, protocols);
  set(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
#else
  const long allowed = ask.allow_plain ? CURLPROTO_HTTP | CURLPROTO_HTTPS : CURLPROTO_HTTPS;
  set(CURLOPT_PROTOCOLS, allowed);
  set(CURLOPT_REDIR_PROTOCOLS, allowed);
  (void)protocols;
#endif
  set(CURLOPT_CONNECTTIMEOUT, 20L);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, 30L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, details);
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, look_around);
  set(CURLOPT_XFERINFODATA, &transfer);
  const std::string range = std::to_string(ask.offset) + "-";
  if (ask.offset > 0) set(CURLOPT_RANGE, range.c_str());
  const CURLcode code = ::curl_easy_perform(curl.get());
  if (transfer.stopped) return Error{ErrorCode::kCancelled, "fetching was stopped"};
  if (transfer.refused) return Error{ErrorCode::kCancelled, "the answer is not taken"};
  if (code != CURLE_OK) return explain(code, ask, curl.get(), details);
  (void)transfer.show_head();  // of an answer without a body
  if (transfer.refused) return Error{ErrorCode::kCancelled, "the answer is not taken"};
  return std::move(transfer.told);
}

#endif

Result<HttpText> http_text(const HttpAsk& ask, size_t limit, const IsStopped& is_stopped) {
  HttpText text;
  bool too_long = false;
  auto told = http_get(
      ask, {},
      [&](std::string_view bytes) {
        too_long = text.body.size() + bytes.size() > limit;
        if (!too_long) text.body += bytes;
        return !too_long;
      },
      is_stopped);
  if (too_long) {
    return Error{ErrorCode::kLimit, shown(ask.url) + " answers with more than " + std::to_string(limit) + " bytes"};
  }
  if (!told) return told.error();
  text.told = std::move(*told);
  return text;
}

}  // namespace hearth_store
