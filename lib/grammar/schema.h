// The compiler of JSON schemas: schemas to expressions. It fails closed: what cannot be enforced is an error that names
// the keyword and where it stands.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "hearth/grammar.h"
#include "lib/grammar/json_language.h"
#include "lib/grammar/regex.h"
#include "lib/grammar/schema_goal.h"

namespace hearth::grammar {

enum class Draft : uint8_t { k4, k6, k7, k2019, k2020 };

class SchemaCompiler {
 public:
  SchemaCompiler(const JsonTree& tree, ExprPool& pool, const JsonOptions& options);

  /// An expression for the values that satisfy the whole document.
  Result<ExprId> run();
  /// The same for a schema inside the document, as a rule.
  ExprId schema(const Json& schema) { return value_of({Part{.schema = &schema}}); }
  /// Rules that were asked for and are not written yet; after it, the error if there was one.
  Status finish();

 private:
  friend class CaseExpander;
  using Cases = std::vector<Case>;

  // Errors: the first one is kept, and everything ends soon.
  bool failed() const { return error_.has_value(); }
  void refuse(const Json& at, const std::string& why, ErrorCode code = ErrorCode::kUnsupported);
  bool spend(size_t n);

  // Goals (schema_expand.cpp, schema_refs.cpp).
  const Cases& cases_of(const Goal& goal);
  const Json* resolve(const Json& ref);
  const Json* find_resource(const std::string& uri);
  const Json* walk_pointer(const Json& from, std::string_view pointer);
  void index_resources();
  ExprId value_of(Goal goal);

  // What a case says of a key or a place (schema_children.cpp).
  Goal goal_of_key(const Case& c, const std::string& key);
  std::vector<OtherKeys> other_keys(const Case& c, const std::vector<std::string>& listed);
  Goal goal_of_item(const Case& c, size_t i);
  size_t n_prefix_items(const Case& c) const;
  const Dfa* pattern_dfa(const TextPattern& pattern);
  static bool is_false(const Goal& goal);

  // Checking values and comparing goals (schema_check.cpp).
  bool satisfies(const Json& value, const Goal& goal, int depth = 0);
  bool satisfies_case(const Json& value, const Case& c, int depth);
  bool text_fits(const std::string& text, const Case& c);
  bool object_fits(const Json& value, const Case& c, int depth);
  bool array_fits(const Json& value, const Case& c, int depth);
  bool disjoint(const Goal& a, const Goal& b, int depth = 0);
  bool disjoint_cases(const Case& a, const Case& b, int depth);
  bool disjoint_objects(const Case& a, const Case& b, int depth);
  bool disjoint_texts(const Case& a, const Case& b);

  // Writing (schema_write.cpp, schema_objects.cpp, schema_texts.cpp).
  ExprId write_goal(const Goal& goal);
  ExprId write_case(const Case& c);
  ExprId write_values(const Case& c);
  ExprId write_literal(const Json& value);
  ExprId write_number(const Case& c);
  ExprId write_array(const Case& c);
  ExprId write_items(const Case& c);
  ExprId write_containing(const Case& c);
  ExprId write_object(const Case& c);
  ExprId write_text(const Case& c);
  ExprId write_one_pattern(const TextPattern& pattern);
  std::optional<Dfa> text_dfa(const Case& c);
  ExprId quoted(ExprId text);
  ExprId key_text(const std::string& key);

  const JsonTree& tree_;
  ExprPool& pool_;
  JsonLanguage json_;
  const bool any_order_;
  Draft draft_ = Draft::k2020;
  std::optional<Error> error_;
  size_t work_ = 0;
  int expanding_ = 0;  ///< goals whose cases are being found, inside each other
  std::map<Goal, Cases> cases_;
  std::map<Goal, uint32_t> rules_;
  std::deque<std::pair<Goal, uint32_t>> unwritten_;
  std::unordered_map<std::string, const Json*> resources_;
  bool indexed_ = false;
  std::map<std::pair<std::string, bool>, std::optional<Dfa>> pattern_dfas_;
};

}  // namespace hearth::grammar
