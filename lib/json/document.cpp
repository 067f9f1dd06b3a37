// Builds the array of nodes from the reader's events.
#include "lib/json/document.h"

#include <charconv>

namespace hearth::json {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;

}  // namespace

Value Value::operator[](std::string_view key) const {
  Value found;
  if (!is_object()) return found;
  for (Value v = first(); v; v = v.next()) {
    if (v.key() == key) found = v;
  }
  return found;
}

std::optional<int64_t> Value::integer() const {
  if (kind() != Event::kInteger) return std::nullopt;
  int64_t value = 0;
  const std::string_view digits = node().text;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<double> Value::number() const {
  if (kind() != Event::kInteger && kind() != Event::kReal) return std::nullopt;
  return node().number;
}

std::optional<bool> Value::boolean() const {
  if (kind() != Event::kTrue && kind() != Event::kFalse) return std::nullopt;
  return kind() == Event::kTrue;
}

/// The reader's text lies in the source, or was unescaped.
std::string_view Document::keep(std::string_view text, std::string_view source) {
  const auto at = reinterpret_cast<uintptr_t>(text.data()), begin = reinterpret_cast<uintptr_t>(source.data());
  if (at >= begin && at - begin <= source.size()) return text;
  return unescaped_.emplace_back(text);
}

Result<Document> Document::parse(std::string_view text, const ReadOptions& options) {
  if (text.size() > kMaxBytes) return Error{ErrorCode::kLimit, "JSON of more than 1 GiB"};
  struct Open {
    uint32_t node, last_child;
  };
  Document document;
  std::vector<Open> open;
  std::string_view key;
  Reader reader(text, options);
  for (Event event = reader.next(); event != Event::kEnd; event = reader.next()) {
    if (event == Event::kError) return reader.error();
    if (event == Event::kKey) {
      key = document.keep(reader.text(), text);
      continue;
    }
    if (event == Event::kEndObject || event == Event::kEndArray) {
      open.pop_back();
      continue;
    }
    const auto index = static_cast<uint32_t>(document.nodes_.size());
    detail::Node node{event, 0, 0, 0, std::exchange(key, {}), {}};
    if (event == Event::kString) node.text = document.keep(reader.text(), text);
    if (event == Event::kInteger || event == Event::kReal) {
      node.text = document.keep(reader.text(), text);
      node.number = reader.number();
    }
    document.nodes_.push_back(node);
    if (!open.empty()) {
      Open& parent = open.back();
      (parent.last_child != 0 ? document.nodes_[parent.last_child].next : document.nodes_[parent.node].first) = index;
      parent.last_child = index;
    }
    if (event == Event::kObject || event == Event::kArray) open.push_back({index, 0});
  }
  return document;
}

}  // namespace hearth::json
