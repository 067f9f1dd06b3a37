// From a goal to its cases.
#pragma once

#include <memory>
#include <vector>

#include "lib/grammar/schema.h"
#include "lib/grammar/schema_words.h"

namespace hearth::grammar {

inline constexpr size_t kMaxCases = 600;  ///< of one goal; more are refused

/// Works through the parts of a goal; at every "or" the case is copied.
class CaseExpander {
 public:
  CaseExpander(SchemaCompiler& compiler, const Goal& goal) : c_(compiler), goal_(goal) {}

  std::vector<Case> run() {
    Branch first;
    for (const Part& part : goal_) first.todo.push_back({part, nullptr, 0});
    branches_.push_back(std::move(first));
    std::vector<Case> out;
    while (!branches_.empty() && !c_.failed()) {
      Branch branch = std::move(branches_.back());
      branches_.pop_back();
      if (!finish(branch) || c_.failed()) continue;
      out.push_back(std::move(branch.result));
      if (out.size() + branches_.size() > kMaxCases)
        c_.refuse(*goal_[0].schema, "it has too many cases", ErrorCode::kLimit);
    }
    return out;
  }

 private:
  /// Parts lead to parts; a part that leads to itself before anything is read says nothing.
  struct Step {
    Part part;
    std::shared_ptr<const Step> from;
    int depth = 0;
  };
  using Todo = Step;
  struct Branch {
    Case result;
    std::vector<Todo> todo;
    size_t next = 0;
    std::vector<Part> done;
    bool impossible = false;
  };

  /// False when the case turned out impossible.
  bool finish(Branch& b);
  void take(Branch& b, const Todo& todo);
  void take_keyword(Branch& b, const Json& schema, int32_t i, bool negated, const std::shared_ptr<const Step>& from);
  void take_negated_schema(Branch& b, const Json& schema, const std::shared_ptr<const Step>& from);
  bool take_logic(Branch& b, Word word, const Json& schema, const Json& value, bool negated,
                  const std::shared_ptr<const Step>& from);
  bool take_limit(Branch& b, Word word, const Json& schema, const Json& value, bool negated);
  bool take_object(Branch& b, Word word, const Json& schema, const Json& value, bool negated);
  bool take_array(Branch& b, Word word, const Json& schema, const Json& value, bool negated);
  void take_type(Branch& b, const Json& value, bool negated);
  void take_format(Branch& b, const Json& value, bool negated);
  /// Whether it counts what a value's properties were evaluated by.
  bool sees_evaluated() const { return goal_[0].schema->find("unevaluatedProperties") != nullptr; }
  static void add_joint_choices(std::vector<std::vector<Part>>& choices);
  void take_one_of(Branch& b, const Json& value, const std::shared_ptr<const Step>& from);
  void take_dependencies(Branch& b, const Json& value);
  void take_negated_properties(Branch& b, const Json& value);
  void take_negated_required(Branch& b, const Json& value);
  void go_on_as(Branch& b, std::vector<Branch> all);
  void add(Branch& b, Part part, const std::shared_ptr<const Step>& from) { b.todo.push_back({part, from, 0}); }
  void fork(Branch& b, const std::vector<std::vector<Part>>& choices, const std::shared_ptr<const Step>& from);
  bool is_count(const Json& value);
  bool check_schemas(const Json& list);
  static int64_t count_of(const Json& value) {
    return value.number > 1e9 ? 1'000'000'000 : static_cast<int64_t>(value.number);
  }

  SchemaCompiler& c_;
  const Goal& goal_;
  std::vector<Branch> branches_;
};

}  // namespace hearth::grammar
