// Building, comparing and writing trees of JSON.
#include "lib/grammar/json_tree.h"

#include <algorithm>
#include <cmath>

#include "lib/json/reader.h"
#include "lib/json/writer.h"

namespace hearth::grammar {
namespace {

using json::Event;

constexpr size_t kMaxValues = 4'000'000;
constexpr size_t kIndexed = 12;

Kind kind_of(Event event) {
  switch (event) {
    case Event::kObject: return Kind::kObject;
    case Event::kArray: return Kind::kArray;
    case Event::kString: return Kind::kString;
    case Event::kInteger:
    case Event::kReal: return Kind::kNumber;
    case Event::kTrue: return Kind::kTrue;
    case Event::kFalse: return Kind::kFalse;
    default: return Kind::kNull;
  }
}

/// Puts a member under its key; an equal key before it is replaced.
void add_member(Json& object, std::string key, Json& value) {
  value.parent = &object;
  const auto put = [&](uint32_t at) {
    object.members[at].second = &value;
    value.place = at;
  };
  if (object.members.size() == kIndexed) {
    for (uint32_t i = 0; i < kIndexed; ++i) object.index.emplace(object.members[i].first, i);
  }
  const auto n = static_cast<uint32_t>(object.members.size());
  if (n >= kIndexed) {
    const auto [at, is_new] = object.index.emplace(key, n);
    if (!is_new) return put(at->second);
  } else {
    for (uint32_t i = 0; i < n; ++i) {
      if (object.members[i].first == key) return put(i);
    }
  }
  object.members.emplace_back(std::move(key), &value);
  value.place = n;
}

bool equal_objects(const Json& a, const Json& b) {
  return a.members.size() == b.members.size() && std::all_of(a.members.begin(), a.members.end(), [&](const auto& m) {
           const Json* other = b.find(m.first);
           return other && equal(*m.second, *other);
         });
}

void write(const Json& value, json::Writer& out) {
  switch (value.kind) {
    case Kind::kNull: out.null(); break;
    case Kind::kFalse:
    case Kind::kTrue: out.boolean(value.is(Kind::kTrue)); break;
    case Kind::kNumber: out.raw(value.text); break;
    case Kind::kString: out.string(value.text); break;
    case Kind::kArray:
      out.begin_array();
      for (const Json* item : value.items) write(*item, out);
      out.end_array();
      break;
    case Kind::kObject:
      out.begin_object();
      for (const auto& [key, member] : value.members) write(*member, out.key(key));
      out.end_object();
      break;
  }
}

}  // namespace

const Json* Json::find(std::string_view key) const {
  if (members.size() > kIndexed) {
    const auto at = index.find(std::string(key));
    return at == index.end() ? nullptr : members[at->second].second;
  }
  const auto at = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == key; });
  return at == members.end() ? nullptr : at->second;
}

const Json* Json::find(std::string_view key, Kind k) const {
  const Json* value = find(key);
  return value && value->kind == k ? value : nullptr;
}

Result<JsonTree> JsonTree::parse(std::string_view text) {
  JsonTree tree;
  std::vector<Json*> open;
  std::string key;
  json::Reader reader(text, {.max_depth = 200});
  for (Event event = reader.next(); event != Event::kEnd; event = reader.next()) {
    if (event == Event::kError) return reader.error();
    if (event == Event::kEndObject || event == Event::kEndArray) {
      open.pop_back();
      continue;
    }
    if (event == Event::kKey) {
      key = reader.text();
      continue;
    }
    if (tree.nodes_.size() >= kMaxValues) return Error{ErrorCode::kLimit, "schema: more than 4 million values"};
    Json& value = tree.nodes_.emplace_back();
    value.kind = kind_of(event);
    if (value.is_string() || value.is_number()) value.text = reader.text();
    if (value.is_number()) {
      value.number = reader.number();
      value.is_integer = std::isfinite(value.number) && std::floor(value.number) == value.number;
    }
    if (!open.empty() && open.back()->is_object()) {
      add_member(*open.back(), key, value);
    } else if (!open.empty()) {
      value.parent = open.back();
      value.place = static_cast<uint32_t>(open.back()->items.size());
      open.back()->items.push_back(&value);
    }
    if (value.is_object() || value.is_array()) open.push_back(&value);
  }
  return tree;
}

std::string path_of(const Json& value) {
  std::vector<std::string> parts;
  for (const Json* at = &value; at->parent; at = at->parent) {
    std::string part = at->parent->is_object() ? at->parent->members[at->place].first : std::to_string(at->place);
    for (size_t i = 0; i < part.size(); ++i) {
      if (part[i] == '~') part.replace(i++, 1, "~0");
      if (part[i] == '/') part.replace(i++, 1, "~1");
    }
    parts.push_back(std::move(part));
  }
  std::string path = "#";
  for (size_t i = parts.size(); i > 0; --i) path += "/" + parts[i - 1];
  return path;
}

bool equal(const Json& a, const Json& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kNumber: return a.text == b.text || a.number == b.number;
    case Kind::kString: return a.text == b.text;
    case Kind::kArray:
      return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                        [](const Json* x, const Json* y) { return equal(*x, *y); });
    case Kind::kObject: return equal_objects(a, b);
    default: return true;
  }
}

std::string dump(const Json& value) {
  std::string text;
  json::Writer out(text);
  write(value, out);
  return text;
}

int64_t length_of(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; });
}

}  // namespace hearth::grammar
