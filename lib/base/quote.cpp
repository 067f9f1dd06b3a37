// Quoting of names for error messages.
#include "lib/base/quote.h"

#include <cstddef>

namespace hearth {

std::string quote(std::string_view name) {
  constexpr size_t kMaxShown = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = "'";
  for (const char c : name.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '\'') {
      text += c;
    } else {
      text.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  return text.append(name.size() > kMaxShown ? "...'" : "'");
}

}  // namespace hearth
