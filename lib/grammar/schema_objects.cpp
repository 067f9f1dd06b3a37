// Objects: listed properties in the schema's order, those that may be left out, then any others.
#include <algorithm>
#include <unordered_set>

#include "lib/grammar/schema.h"

namespace hearth::grammar {
namespace {

/// Names of properties in the order of the schemas, then those that are only required.
std::vector<std::string> listed_names(const Case& c) {
  std::vector<std::string> names;
  std::unordered_set<std::string> known;
  const auto add = [&](const std::string& name) {
    if (known.insert(name).second) names.push_back(name);
  };
  for (const Json* schema : c.objects) {
    const Json* properties = schema->find("properties", Kind::kObject);
    if (!properties) continue;
    for (const auto& [name, value] : properties->members) add(name);
  }
  for (const std::string& name : c.required) add(name);
  for (const std::string& name : c.forbidden) add(name);
  return names;
}

}  // namespace

ExprId SchemaCompiler::write_object(const Case& c) {
  for (const Json* v : c.none_of) {
    if (!v->is_object()) continue;
    refuse(*v, "objects cannot be excluded");
    return pool_.nothing();
  }
  const bool is_any = c.objects.empty() && c.required.empty() && c.forbidden.empty() && c.names.empty() &&
                      c.unevaluated.empty() && c.min_properties == 0 && c.max_properties < 0;
  if (is_any) return json_.any_object();
  const std::vector<std::string> names = listed_names(c);
  if (!spend(names.size() * (1 + c.objects.size()))) return pool_.nothing();
  const std::unordered_set<std::string> required(c.required.begin(), c.required.end());
  std::vector<ExprPool::Item> items;
  int64_t n_required = 0;
  for (const std::string& name : names) {
    const bool needed = required.contains(name);
    const Goal goal = goal_of_key(c, name);
    if (failed()) return pool_.nothing();
    const Json as_value{.kind = Kind::kString, .text = name};
    const bool named =
        std::all_of(c.names.begin(), c.names.end(), [&](const Part& p) { return satisfies(as_value, {p}); });
    const bool possible =
        named && !c.forbidden.contains(name) && !is_false(goal) && (goal.empty() || !cases_of(goal).empty());
    if (!possible && needed) return pool_.nothing();
    if (!possible) continue;
    items.push_back({pool_.seq({key_text(name), json_.colon(), value_of(goal)}), needed});
    n_required += needed;
  }
  std::vector<ExprId> others;
  for (OtherKeys& keys : other_keys(c, names)) {
    if (failed()) return pool_.nothing();
    if (!keys.goal.empty() && cases_of(keys.goal).empty()) continue;
    const ExprId key = keys.any ? json_.any_string() : quoted(pool_.text(std::move(keys.keys), Encoding::kJson));
    others.push_back(pool_.seq({key, json_.colon(), value_of(keys.goal)}));
  }
  int64_t min = c.min_properties;
  if (min <= n_required) min = 0;
  if (min > 1 && !others.empty()) {
    refuse(*c.min_source, "with keys that are not listed it is supported up to 1 or the number of required ones");
    return pool_.nothing();
  }
  const int64_t max = c.max_properties;
  if ((max >= 0 && max < std::max(n_required, c.min_properties)) ||
      (others.empty() && min > static_cast<int64_t>(items.size()))) {
    return pool_.nothing();
  }
  if (items.empty() && others.empty()) return pool_.seq({json_.open('{'), pool_.bytes("}")});
  const ExprId rest = others.empty() ? kUndefined : pool_.alt(std::move(others));
  const bool as_bag = any_order_ && min == 0 && max < 0 && items.size() <= kMaxBag;
  const auto limit = [](int64_t n) { return static_cast<int32_t>(std::min<int64_t>(n, INT32_MAX)); };
  const ExprId list =
      as_bag ? pool_.bag(items, json_.comma(), rest) : pool_.list(items, json_.comma(), rest, limit(min), limit(max));
  return pool_.seq({json_.open('{'), list, json_.close('}')});
}

}  // namespace hearth::grammar
