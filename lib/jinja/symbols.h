// Which names a scope has, and what they begin as.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/jinja/ast.h"

namespace hearth::jinja {

/// A variable's place, absolute: function and index in its frame.
struct Place {
  int function = 0;
  uint32_t index = 0;
};

/// What a name is loaded with when its scope begins.
struct PendingLoad {
  Place place;
  LoadAction action;
  std::string name;
  Place alias;
};

/// The names of one scope, or what a branch of an `if` adds to them.
struct Symbols {
  Symbols* parent = nullptr;
  const Symbols* base = nullptr;  // of a branch: the names before it, of the same scope
  int function = 0;
  int id = 0;                             // that of the scope, in branches too
  std::map<std::string, Place> places;    // names known here
  std::map<uint32_t, PendingLoad> loads;  // by index; parameters have none
  std::set<std::string> stores;
  std::set<uint32_t> parameters;

  /// The place of a name that the scope itself knows; nullptr when it does not.
  const Place* find_here(const std::string& name) const {
    for (const Symbols* at = this; at; at = at->base) {
      const auto found = at->places.find(name);
      if (found != at->places.end()) return &found->second;
    }
    return nullptr;
  }
  const Place* find(const std::string& name) const {
    for (const Symbols* at = this; at; at = at->parent) {
      if (const Place* found = at->find_here(name)) return found;
    }
    return nullptr;
  }
  bool is_stored(const std::string& name) const {
    for (const Symbols* at = this; at; at = at->base) {
      if (at->stores.contains(name)) return true;
    }
    return false;
  }
};

/// The names of every scope, as a first walk over its statements finds them; bodies of inner scopes are left out.
class SymbolTable {
 public:
  explicit SymbolTable(Template& tmpl) : tmpl_(tmpl) {}

  /// The names of a new scope; `parent` may be null.
  Symbols scope(Symbols* parent, int function);
  /// A name that the scope gets from outside of its statements. Returns its index.
  uint32_t declare_parameter(Symbols& symbols, const std::string& name);

  void visit(Symbols& symbols, const Expr* expr);
  void visit(Symbols& symbols, const Body& body);
  /// Declares the names of an assignment's target as parameters.
  void visit_parameters(Symbols& symbols, const Expr* target);

 private:
  void visit(Symbols& symbols, const Stmt* stmt);
  void visit_if(Symbols& symbols, const Stmt* stmt);
  Place define(Symbols& symbols, const std::string& name);
  void store(Symbols& symbols, const std::string& name);
  void load(Symbols& symbols, const std::string& name);
  void merge_branches(Symbols& symbols, std::vector<Symbols>& branches);

  Template& tmpl_;
  int next_id_ = 0;
  std::map<std::pair<int, std::string>, Place> places_;
};

}  // namespace hearth::jinja
