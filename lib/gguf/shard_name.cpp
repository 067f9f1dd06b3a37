// Parsing and making of the names of split files.
#include "lib/gguf/shard_name.h"

#include <cstddef>

namespace hearth {
namespace {

constexpr size_t kDigits = 5;
constexpr std::string_view kOf = "-of-";
constexpr std::string_view kSuffix = ".gguf";
constexpr size_t kTailLength = 1 + kDigits + kOf.size() + kDigits + kSuffix.size();

/// A number of exactly kDigits decimal digits; nothing otherwise.
std::optional<uint32_t> parse_digits(std::string_view text) {
  uint32_t value = 0;
  for (const char c : text.substr(0, kDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  return value;
}

std::string pad_digits(uint32_t value) {
  const std::string digits = std::to_string(value);
  return std::string(digits.size() < kDigits ? kDigits - digits.size() : 0, '0') + digits;
}

}  // namespace

std::optional<ShardName> parse_shard_name(std::string_view path) {
  if (path.size() <= kTailLength) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kTailLength);
  const size_t of = 1 + kDigits;
  const size_t count_at = of + kOf.size();
  if (tail[0] != '-' || tail.substr(of, kOf.size()) != kOf || tail.substr(count_at + kDigits) != kSuffix) {
    return std::nullopt;
  }
  const std::optional<uint32_t> number = parse_digits(tail.substr(1));
  const std::optional<uint32_t> count = parse_digits(tail.substr(count_at));
  if (!number || !count || *number < 1 || *number > *count) return std::nullopt;
  return ShardName{path.substr(0, path.size() - kTailLength), *number, *count};
}

std::string make_shard_name(std::string_view prefix, uint32_t number, uint32_t count) {
  std::string name(prefix);
  name.append("-").append(pad_digits(number)).append(kOf).append(pad_digits(count)).append(kSuffix);
  return name;
}

}  // namespace hearth
