// Names of models, read and written.
#include "name.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

namespace {

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/// Such a part never leads out of a folder: it begins with a letter and holds no slash.
bool is_part(std::string_view text, size_t most, bool is_host) {
  if (text.empty() || text.size() > most || !is_letter(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || c == '-' || c == '.' || (is_host && c == ':'); });
}

bool starts_with_any(std::string_view& text, std::initializer_list<std::string_view> beginnings) {
  for (const std::string_view beginning : beginnings) {
    if (!text.starts_with(beginning)) continue;
    text.remove_prefix(beginning.size());
    return true;
  }
  return false;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string shown(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    char code[8];
    std::snprintf(code, sizeof code, "\\x%02x", byte);
    out += byte < 0x20 || byte == 0x7f ? code : std::string(1, c);
  }
  return out + (text.size() > 200 ? "...'" : "'");
}

std::string clean_part(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out += is_letter(c) || c == '.' || c == '-' ? c : '-';
  while (!out.empty() && !is_letter(out.front())) out.erase(0, 1);
  return out.empty() ? "model" : out;
}

Result<ModelName> ModelName::parse(std::string_view text) {
  const auto wrong = [whole = text](const char* what) {
    return Error{ErrorCode::kInvalidArgument, shown(whole) + " is no name of a model: " + what};
  };
  if (text.empty()) return wrong("it is empty");
  ModelName name;
  std::string_view rest = text;
  const bool is_hub = starts_with_any(rest, {"hf:", "https://huggingface.co/", "https://hf.co/", "huggingface.co/"});
  const size_t slash = rest.rfind('/'), colon = rest.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    name.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  std::string_view parts[3];
  size_t n = 0;
  for (size_t end = rest.size();;) {
    const size_t at = rest.substr(0, end).rfind('/');
    const size_t begin = at == std::string_view::npos ? 0 : at + 1;
    if (n == 3) return wrong("it has more than a host, an owner and a model");
    parts[n++] = rest.substr(begin, end - begin);
    if (begin == 0) break;
    end = at;
  }
  name.model = parts[0];
  if (n > 1) name.owner = parts[1];
  if (n > 2) name.host = parts[2];
  if (is_hub && n != 2) return wrong("names of the hub are hf:owner/repository[:quantization]");
  if (is_hub) name.host = kHubHost;
  if (!is_part(name.host, 350, true)) return wrong("its host has characters that none may have");
  if (!is_part(name.owner, 96, false)) return wrong("its owner has characters that none may have, or is too long");
  if (!is_part(name.model, 96, false)) return wrong("it has characters that none may have, or is too long");
  if (!is_part(name.tag, 80, false)) return wrong("its tag has characters that none may have, or is too long");
  return name;
}

std::string ModelName::base() const {
  if (lower_case(host) != kDefaultHost) return host + "/" + owner + "/" + model;
  return lower_case(owner) == kDefaultOwner ? model : owner + "/" + model;
}

std::string ModelName::text() const {
  return base() + ":" + tag;
}

std::string ModelName::short_text() const {
  return tag == kDefaultTag ? base() : text();
}

std::string ModelName::path() const {
  return host + "/" + owner + "/" + model + "/" + tag;
}

bool ModelName::is_same(const ModelName& other) const {
  return lower_case(path()) == lower_case(other.path());
}

}  // namespace hearth_store
