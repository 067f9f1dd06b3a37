// $ref: pointers into the document, anchors, and identifiers of schemas inside it. Nothing is fetched.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/grammar/schema.h"

namespace hearth::grammar {
namespace {

std::string unescaped(std::string_view part, bool percent) {
  std::string out;
  const auto hex = [](char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; };
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); };
  for (size_t i = 0; i < part.size(); ++i) {
    if (percent && part[i] == '%' && i + 2 < part.size() && is_hex(part[i + 1]) && is_hex(part[i + 2])) {
      out.push_back(static_cast<char>(hex(part[i + 1]) * 16 + hex(part[i + 2])));
      i += 2;
    } else if (!percent && part[i] == '~' && i + 1 < part.size()) {
      out.push_back(part[++i] == '1' ? '/' : '~');
    } else {
      out.push_back(part[i]);
    }
  }
  return out;
}

/// A reference against the identifier of the schema around it (RFC 3986, without dot segments).
std::string joined(const std::string& base, const std::string& ref) {
  if (ref.empty()) return base;
  const size_t colon = ref.find(':'), slash = ref.find('/');
  if (colon != std::string::npos && (slash == std::string::npos || colon < slash)) return ref;
  const size_t scheme = base.find("://");
  if (ref[0] == '/') {
    const size_t path = scheme == std::string::npos ? 0 : base.find('/', scheme + 3);
    return base.substr(0, path) + ref;
  }
  const size_t last = base.rfind('/');
  if (last == std::string::npos) return ref;
  if (scheme != std::string::npos && last < scheme + 3) return concat(base, "/", ref);
  return base.substr(0, last + 1) + ref;
}

/// The identifier that a schema gives itself, without a fragment; empty: none.
std::string own_id(const Json& schema) {
  for (const char* name : {"$id", "id"}) {
    if (const Json* id = schema.find(name, Kind::kString)) return id->text.substr(0, id->text.find('#'));
  }
  return {};
}

/// Keywords whose value is a schema or a list of them, and those whose members are.
constexpr std::string_view kHoldSchemas[] = {"items",
                                             "additionalItems",
                                             "prefixItems",
                                             "contains",
                                             "additionalProperties",
                                             "propertyNames",
                                             "allOf",
                                             "anyOf",
                                             "oneOf",
                                             "not",
                                             "if",
                                             "then",
                                             "else",
                                             "unevaluatedItems",
                                             "unevaluatedProperties",
                                             "contentSchema"};
constexpr std::string_view kHoldNames[] = {"properties", "patternProperties", "definitions",
                                           "$defs",      "dependentSchemas",  "dependencies"};

std::string base_of(const Json& at) {
  std::vector<std::string> ids;
  for (const Json* s = &at; s; s = s->parent) {
    if (!s->is_object()) continue;
    std::string id = own_id(*s);
    if (!id.empty()) ids.push_back(std::move(id));
  }
  std::string base;
  for (size_t i = ids.size(); i > 0; --i) base = joined(base, ids[i - 1]);
  return base;
}

}  // namespace

/// All identifiers and anchors of the document, once it is asked for one.
void SchemaCompiler::index_resources() {
  indexed_ = true;
  std::vector<const Json*> work{&tree_.root()};
  while (!work.empty() && spend(1)) {
    const Json* at = work.back();
    work.pop_back();
    for (const Json* item : at->items) work.push_back(item);
    for (const auto& [key, member] : at->members) {
      if (std::find(std::begin(kHoldSchemas), std::end(kHoldSchemas), key) != std::end(kHoldSchemas))
        work.push_back(member);
      if (std::find(std::begin(kHoldNames), std::end(kHoldNames), key) == std::end(kHoldNames)) continue;
      for (const auto& named : member->members) work.push_back(named.second);
    }
    if (!at->is_object()) continue;
    if (!own_id(*at).empty()) resources_.try_emplace(base_of(*at), at);
    for (const char* name : {"$anchor", "$dynamicAnchor"}) {
      if (const Json* anchor = at->find(name, Kind::kString))
        resources_.try_emplace(concat(base_of(*at), "#", anchor->text), at);
    }
    for (const char* name : {"$id", "id"}) {
      const Json* id = at->find(name, Kind::kString);
      if (id && id->text.find('#') != std::string::npos) resources_.try_emplace(joined(base_of(*at), id->text), at);
    }
  }
}

const Json* SchemaCompiler::find_resource(const std::string& uri) {
  if (!indexed_) index_resources();
  const auto at = resources_.find(uri);
  return at == resources_.end() ? nullptr : at->second;
}

const Json* SchemaCompiler::walk_pointer(const Json& from, std::string_view pointer) {
  const Json* at = &from;
  while (!pointer.empty() && at) {
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    const std::string key = unescaped(unescaped(pointer.substr(1, end - 1), true), false);
    pointer.remove_prefix(end);
    if (at->is_array()) {
      const bool digits = !key.empty() && key.size() < 8 && key.find_first_not_of("0123456789") == std::string::npos;
      size_t i = digits ? 0 : at->items.size();
      for (const char c : digits ? std::string_view(key) : std::string_view())
        i = i * 10 + static_cast<size_t>(c - '0');
      at = i < at->items.size() ? at->items[i] : nullptr;
    } else {
      at = at->find(key);
    }
  }
  return at;
}

/// The schema that the string `ref` names; nullptr after an error.
const Json* SchemaCompiler::resolve(const Json& ref) {
  const size_t hash = std::min(ref.text.find('#'), ref.text.size());
  const std::string uri = ref.text.substr(0, hash);
  const std::string fragment = hash < ref.text.size() ? ref.text.substr(hash + 1) : "";
  const Json* target = nullptr;
  if (uri.empty() && (fragment.empty() || fragment[0] == '/')) {
    const std::string base = base_of(ref);
    const Json* resource = base.empty() ? nullptr : find_resource(base);
    if (resource) target = walk_pointer(*resource, fragment);
    if (!target) target = walk_pointer(tree_.root(), fragment);
  } else {
    const std::string base = joined(base_of(ref), uri);
    if (fragment.empty() || fragment[0] == '/') {
      const Json* resource = find_resource(base);
      if (!resource) resource = find_resource(uri);
      if (resource) target = walk_pointer(*resource, fragment);
    } else {
      target = find_resource(concat(base, "#", fragment));
    }
  }
  if (!target) refuse(ref, concat("\"", ref.text, "\" is not in this document"), ErrorCode::kNotFound);
  return target;
}

}  // namespace hearth::grammar
