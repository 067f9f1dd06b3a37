// Document: a whole JSON text as a tree in one array, for files that are looked up rather than read in order. As safe
// as the reader below it; memory is at most some 25 times the text.
//
//   auto document = json::Document::parse(text);
//   for (json::Value v = (*document).root()["layers"].first(); v; v = v.next()) use(v.key(), v.integer());
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"
#include "lib/json/reader.h"

namespace hearth::json {

namespace detail {
struct Node {
  Event kind = Event::kNull;
  uint32_t first = 0;  ///< child; 0: none
  uint32_t next = 0;   ///< sibling; 0: none
  double number = 0;
  std::string_view key;
  std::string_view text;
};
}  // namespace detail

/// A place in a document, or nothing: what does not exist has nothing inside. Valid while the document lives where it
/// is.
class Value {
 public:
  Value() = default;
  explicit operator bool() const { return nodes_ != nullptr; }
  bool is_object() const { return kind() == Event::kObject; }
  bool is_array() const { return kind() == Event::kArray; }
  bool is_string() const { return kind() == Event::kString; }
  bool is_null() const { return kind() == Event::kNull; }  ///< also where nothing is

  /// A member of an object, the last of equal keys; nothing for other kinds.
  Value operator[](std::string_view key) const;
  /// The first item or member, and the one after this.
  Value first() const { return nodes_ != nullptr ? at(node().first) : Value(); }
  Value next() const { return nodes_ != nullptr ? at(node().next) : Value(); }
  std::string_view key() const { return nodes_ != nullptr ? node().key : std::string_view(); }

  /// Empty for what is no string.
  std::string_view text() const { return is_string() ? node().text : std::string_view(); }
  std::optional<int64_t> integer() const;
  std::optional<double> number() const;
  std::optional<bool> boolean() const;

 private:
  friend class Document;
  Value(const std::vector<detail::Node>* nodes, uint32_t index) : nodes_(nodes), index_(index) {}
  Value at(uint32_t index) const { return index != 0 ? Value(nodes_, index) : Value(); }
  const detail::Node& node() const { return (*nodes_)[index_]; }
  Event kind() const { return nodes_ != nullptr ? node().kind : Event::kNull; }

  const std::vector<detail::Node>* nodes_ = nullptr;
  uint32_t index_ = 0;
};

class Document {
 public:
  /// `text` must outlive the document. kFormat as the reader, kLimit for texts above 1 GiB.
  static Result<Document> parse(std::string_view text, const ReadOptions& options = {});
  Value root() const { return {&nodes_, 0}; }

 private:
  std::string_view keep(std::string_view text, std::string_view source);

  std::vector<detail::Node> nodes_;    // the root is the first
  std::deque<std::string> unescaped_;  // strings that are not in the text as they are
};

}  // namespace hearth::json
