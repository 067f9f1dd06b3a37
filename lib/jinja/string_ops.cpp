// Case mapping, stripping, splitting and replacing.
#include "lib/jinja/string_ops.h"

#include <algorithm>
#include <cstdint>

#include "lib/jinja/text_search.h"
#include "lib/unicode/characters.h"
#include "lib/unicode/properties.h"

namespace hearth::jinja {
namespace {

// Offset of the character before `pos`.
size_t step_back(std::string_view text, size_t pos) {
  for (size_t back = 1; back <= 4 && back <= pos; ++back) {
    if (unicode::decode(text, pos - back).size == back) return pos - back;
  }
  return pos - 1;
}

// Lower case of a sigma depends on what stands around it (Unicode, SpecialCasing.txt, Final_Sigma).
bool is_final_sigma(std::string_view text, size_t pos) {
  bool cased_before = false;
  for (size_t at = pos; at > 0;) {
    at = step_back(text, at);
    const uint32_t code = unicode::decode(text, at).code;
    if (unicode::is_case_ignorable(code)) continue;
    cased_before = unicode::is_cased(code);
    break;
  }
  if (!cased_before) return false;
  for (size_t at = pos + 2; at < text.size();) {
    const unicode::Char c = unicode::decode(text, at);
    if (!unicode::is_case_ignorable(c.code)) return !unicode::is_cased(c.code);
    at += c.size;
  }
  return true;
}

unicode::Mapped lower(std::string_view text, size_t pos, uint32_t code) {
  constexpr uint32_t kSigma = 0x3A3, kFinalSigma = 0x3C2;
  if (code == kSigma && is_final_sigma(text, pos)) return {{kFinalSigma, 0, 0}};
  return unicode::to_lower(code);
}

bool is_line_end(uint32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

std::vector<Part> split_space(std::string_view text, int64_t max, bool from_right) {
  std::vector<Part> parts;
  const auto space_at = [&](size_t pos) { return unicode::is_space(unicode::decode(text, pos).code); };
  if (!from_right) {
    size_t pos = 0;
    for (;;) {
      while (pos < text.size() && space_at(pos)) pos += unicode::decode(text, pos).size;
      if (pos >= text.size()) return parts;
      const size_t begin = pos;
      if (max >= 0 && parts.size() >= static_cast<size_t>(max)) {
        parts.push_back({begin, text.size() - begin});
        return parts;
      }
      while (pos < text.size() && !space_at(pos)) pos += unicode::decode(text, pos).size;
      parts.push_back({begin, pos - begin});
    }
  }
  size_t end = text.size();
  for (;;) {
    while (end > 0 && space_at(step_back(text, end))) end = step_back(text, end);
    if (end == 0) break;
    size_t begin = 0;
    if (max < 0 || parts.size() < static_cast<size_t>(max)) {
      begin = end;
      while (begin > 0 && !space_at(step_back(text, begin))) begin = step_back(text, begin);
    }
    parts.push_back({begin, end - begin});
    end = begin;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

Text change_case(const Text& text, Case how) {
  const std::string_view bytes = text.bytes();
  Text out;
  out.reserve(bytes.size());
  std::string mapped_bytes;
  bool first = true, after_cased = false;
  for (size_t pos = 0; pos < bytes.size();) {
    const unicode::Char c = unicode::decode(bytes, pos);
    unicode::Mapped mapped{};
    switch (how) {
      case Case::kUpper: mapped = unicode::to_upper(c.code); break;
      case Case::kLower: mapped = lower(bytes, pos, c.code); break;
      case Case::kTitle: mapped = after_cased ? lower(bytes, pos, c.code) : unicode::to_title(c.code); break;
      case Case::kCapitalize: mapped = first ? unicode::to_title(c.code) : lower(bytes, pos, c.code); break;
      case Case::kSwap:
        mapped = unicode::is_upper(c.code)   ? lower(bytes, pos, c.code)
                 : unicode::is_lower(c.code) ? unicode::to_upper(c.code)
                                             : unicode::Mapped{{c.code, 0, 0}};
        break;
    }
    first = false;
    after_cased = unicode::is_cased(c.code);
    mapped_bytes.clear();
    unicode::encode(mapped_bytes, mapped.codes[0]);
    for (size_t i = 1; i < 3 && mapped.codes[i] != 0; ++i) unicode::encode(mapped_bytes, mapped.codes[i]);
    out.append(mapped_bytes, text.trusted_at(pos));
    pos += c.size;
  }
  return out;
}

Part strip_part(std::string_view text, const std::string_view* chars, bool left, bool right) {
  std::vector<uint32_t> codes;  // of `chars`, sorted
  for (size_t at = 0; chars && at < chars->size();) {
    const unicode::Char c = unicode::decode(*chars, at);
    codes.push_back(c.code);
    at += c.size;
  }
  std::sort(codes.begin(), codes.end());
  const auto strips = [&](size_t pos) {
    const uint32_t code = unicode::decode(text, pos).code;
    return chars ? std::binary_search(codes.begin(), codes.end(), code) : unicode::is_space(code);
  };
  size_t begin = 0, end = text.size();
  while (left && begin < end && strips(begin)) begin += unicode::decode(text, begin).size;
  while (right && end > begin && strips(step_back(text, end))) end = step_back(text, end);
  return {begin, end - begin};
}

std::vector<Part> split_parts(std::string_view text, const std::string_view* separator, int64_t max, bool from_right) {
  if (!separator) return split_space(text, max, from_right);
  std::vector<Part> parts;
  using Direction = TextSearch::Direction;
  const TextSearch search(*separator, from_right ? Direction::kBackward : Direction::kForward);
  if (!from_right) {
    size_t begin = 0;
    while (max < 0 || parts.size() < static_cast<size_t>(max)) {
      const size_t at = search.first(text, begin);
      if (at == std::string_view::npos) break;
      parts.push_back({begin, at - begin});
      begin = at + separator->size();
    }
    parts.push_back({begin, text.size() - begin});
    return parts;
  }
  size_t end = text.size();
  while (end >= separator->size() && (max < 0 || parts.size() < static_cast<size_t>(max))) {
    const size_t at = search.last(text, end);
    if (at == std::string_view::npos) break;
    parts.push_back({at + separator->size(), end - at - separator->size()});
    end = at;
  }
  parts.push_back({0, end});
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Part> line_parts(std::string_view text, bool keep_ends) {
  std::vector<Part> parts;
  size_t begin = 0;
  for (size_t pos = 0; pos < text.size();) {
    const unicode::Char c = unicode::decode(text, pos);
    size_t next = pos + c.size;
    if (is_line_end(c.code)) {
      if (c.code == '\r' && next < text.size() && text[next] == '\n') ++next;
      parts.push_back({begin, (keep_ends ? next : pos) - begin});
      begin = next;
    }
    pos = next;
  }
  if (begin < text.size()) parts.push_back({begin, text.size() - begin});
  return parts;
}

size_t count_of(std::string_view text, std::string_view what) {
  const TextSearch search(what);
  size_t n = 0;
  for (size_t at = 0; (at = search.first(text, at)) != std::string_view::npos; at += what.size()) ++n;
  return n;
}

bool replace(const Text& text, const Text& what, const Text& with, int64_t count, size_t max_bytes, Text& out) {
  const std::string_view bytes = text.bytes(), old = what.bytes();
  const TextSearch search(old);
  size_t left = count < 0 ? SIZE_MAX : static_cast<size_t>(count);
  size_t pos = 0;
  while (left > 0) {
    if (out.size() > max_bytes) return false;
    if (old.empty()) {
      // Before every character and at the end.
      out.append(with);
      --left;
      if (pos >= bytes.size()) return true;
      const size_t size = unicode::decode(bytes, pos).size;
      out.append(text, pos, size);
      pos += size;
      continue;
    }
    const size_t at = search.first(bytes, pos);
    if (at == std::string_view::npos) break;
    out.append(text, pos, at - pos);
    out.append(with);
    pos = at + old.size();
    --left;
  }
  out.append(text, pos, bytes.size() - pos);
  return out.size() <= max_bytes;
}

std::string repeat_char(std::string_view fill, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += fill;
  return out;
}

}  // namespace hearth::jinja
