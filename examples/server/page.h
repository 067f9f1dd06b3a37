// The page that is served at /: files that were built from examples/page and lie in the program as they are sent.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hearth_server {

struct PageFile {
  std::string_view path;  ///< "/" or "/assets/NAME-HASH.js": those with a hash in their name never change
  std::string_view type;  ///< media type
  std::string_view etag;  ///< in quotes
  std::string_view gzip;  ///< the file, compressed (RFC 1952)
};

/// Every file of the page; empty when the program was built without it (CMake option HEARTH_PAGE). Written by the
/// build.
std::span<const PageFile> page_files();

/// Whether `coding` may be sent to a client with this Accept-Encoding (RFC 9110, 12.5.3).
bool accepts_coding(std::string_view accept_encoding, std::string_view coding);
/// Whether an If-None-Match names this tag (RFC 9110, 13.1.2).
bool names_tag(std::string_view if_none_match, std::string_view etag);

}  // namespace hearth_server
