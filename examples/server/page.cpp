// GET /: the page, for whoever takes HTML, and the files that belong to it.
#include "page.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include "../store/name.h"
#include "http_words.h"
#include "server.h"

namespace hearth_server {
namespace {

using hearth_store::lower_case;

/// Everything comes from here; no script and no style stands in the text of a page, and what turns text into elements
/// in the browser must have passed the sanitizer (Trusted Types).
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types dompurify";

constexpr const char* kNotBuilt =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>hearth</title></head><body>\n"
    "<h1>hearth is running</h1>\n"
    "<p>This build has no page to talk on: it was made without npm. Install nodejs and npm, then build again\n"
    "(<code>./setup.sh build</code>, or CMake with <code>-DHEARTH_PAGE=ON</code>).</p>\n"
    "<p>Everything else works: <code>/v1</code> (OpenAI), <code>/api</code> (Ollama), <code>/v1/messages</code> "
    "(Anthropic),\nand <code>hearth chat</code> in a terminal.</p>\n</body></html>\n";

/// An entry of a list such as "gzip;q=0.5": its value, and its weight.
struct Weighted {
  std::string value;
  double weight = 1;
};

/// Calls visit(entry) for each entry of a list, until it returns true.
template <class Visit>
void for_entries(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const size_t end = list.find(',');
    const std::string_view text = list.substr(0, end);
    list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
    Weighted entry{lower_case(trim_blanks(text.substr(0, text.find(';')))), 1};
    for (size_t at = text.find(';'); at != std::string_view::npos; at = text.find(';', at + 1)) {
      const std::string part = lower_case(trim_blanks(text.substr(at + 1, text.find(';', at + 1) - at - 1)));
      if (part.rfind("q=", 0) == 0) entry.weight = std::strtod(part.c_str() + 2, nullptr);
    }
    if (visit(entry)) return;
  }
}

void add_safety(HttpReply& reply) {
  static constexpr std::pair<const char*, const char*> kHeaders[] = {{"Content-Security-Policy", kPolicy},
                                                                     {"X-Content-Type-Options", "nosniff"},
                                                                     {"Referrer-Policy", "no-referrer"},
                                                                     {"Cross-Origin-Opener-Policy", "same-origin"},
                                                                     {"Cross-Origin-Resource-Policy", "same-origin"}};
  for (const auto& [name, value] : kHeaders) reply.headers.emplace_back(name, value);
}

HttpReply file_reply(const HttpRequest& request, const PageFile& file) {
  HttpReply reply;
  add_safety(reply);
  reply.headers.emplace_back("ETag", file.etag);
  reply.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  reply.headers.emplace_back("Cache-Control", file.path == "/" ? "no-cache" : "public, max-age=31536000, immutable");
  const std::string* codings = request.header("accept-encoding");
  if (codings != nullptr && !accepts_coding(*codings, "gzip")) {
    reply.status = 406;
    reply.type = "text/plain; charset=utf-8";
    reply.body = "this file is kept compressed, and the request takes no gzip (Accept-Encoding)\n";
    return reply;
  }
  if (names_tag(request.header_or_empty("if-none-match"), file.etag)) {
    reply.status = 304;
    reply.type.clear();
    return reply;
  }
  reply.type = file.type;
  reply.headers.emplace_back("Content-Encoding", "gzip");
  reply.body = file.gzip;
  return reply;
}

const PageFile* find_file(const std::string& path) {
  for (const PageFile& file : page_files())
    if (file.path == path) return &file;
  return nullptr;
}

HttpReply root(Context& context) {
  bool takes_html = false;
  for_entries(context.request.header_or_empty("accept"), [&](const Weighted& entry) {
    takes_html = (entry.value == "text/html" || entry.value == "application/xhtml+xml") && entry.weight > 0;
    return takes_html;
  });
  HttpReply reply;
  if (!takes_html) {  // programs look here whether Ollama is there
    reply.type = "text/plain; charset=utf-8";
    reply.headers.emplace_back("Vary", "Accept");
    reply.body = "Ollama is running";
    return reply;
  }
  if (const PageFile* file = find_file("/")) return file_reply(context.request, *file);
  add_safety(reply);
  reply.headers.emplace_back("Vary", "Accept");
  reply.type = "text/html; charset=utf-8";
  reply.body = kNotBuilt;
  return reply;
}

HttpReply asset(Context& context) {
  if (const PageFile* file = find_file(context.request.path)) return file_reply(context.request, *file);
  throw ApiError(404, "the page has no file " + context.request.path.substr(0, 200));
}

}  // namespace

bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
  std::optional<bool> named, any;
  for_entries(accept_encoding, [&](const Weighted& entry) {
    if (entry.value == coding) named = entry.weight > 0;
    if (entry.value == "*") any = entry.weight > 0;
    return false;
  });
  return named.value_or(any.value_or(coding == "identity"));
}

bool names_tag(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    const size_t end = if_none_match.find(',');  // our tags hold no comma
    std::string_view tag = trim_blanks(if_none_match.substr(0, end));
    if (tag.substr(0, 2) == "W/") tag.remove_prefix(2);  // the comparison is the weak one
    if (tag == etag || tag == "*") return true;
    if_none_match = end == std::string_view::npos ? std::string_view() : if_none_match.substr(end + 1);
  }
  return false;
}

std::span<const Route> page_routes() {
  static const Route kRoutes[] = {{"GET", "/", root}, {"GET", "/assets/", asset}};
  return kRoutes;
}

}  // namespace hearth_server
