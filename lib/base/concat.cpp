// What concat() calls for each part: functions that stand once.
#include "lib/base/concat.h"

namespace hearth::detail {

void put(std::string& to, const char* text) {
  to.append(text);
}

void put(std::string& to, const std::string& text) {
  to.append(text);
}

void put(std::string& to, std::string_view text) {
  to.append(text);
}

void put(std::string& to, char c) {
  to.push_back(c);
}

void put_signed(std::string& to, int64_t number) {
  to.append(std::to_string(number));
}

void put_unsigned(std::string& to, uint64_t number) {
  to.append(std::to_string(number));
}

}  // namespace hearth::detail
