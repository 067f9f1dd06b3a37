// Making expressions.
#include "lib/grammar/expr.h"

#include <algorithm>

namespace hearth::grammar {
namespace {

constexpr uint32_t kMaxSize = 1u << 30;

}  // namespace

ExprId ExprPool::add(Expr expr) {
  exprs.push_back(expr);
  return static_cast<ExprId>(exprs.size() - 1);
}

ExprId ExprPool::bytes(std::string_view text) {
  const auto begin = static_cast<uint32_t>(letters.size()), n = static_cast<uint32_t>(text.size());
  letters += text;
  return add({.op = Op::kBytes, .a = begin, .b = n, .size = n + 1});
}

ExprId ExprPool::chars(CodeSet set, Encoding encoding) {
  const auto size = static_cast<uint32_t>(2 * set.ranges().size() + 1);
  sets.push_back(std::move(set));
  return add({.op = Op::kChars, .encoding = encoding, .a = static_cast<uint32_t>(sets.size() - 1), .size = size});
}

ExprId ExprPool::group(Op op, const std::vector<ExprId>& parts) {
  Expr expr{.op = op, .a = static_cast<uint32_t>(children.size()), .b = static_cast<uint32_t>(parts.size())};
  for (const ExprId part : parts) {
    expr.size = std::min(kMaxSize, expr.size + exprs[part].size);
    expr.counts |= exprs[part].counts;
  }
  children.insert(children.end(), parts.begin(), parts.end());
  return add(expr);
}

ExprId ExprPool::seq(std::vector<ExprId> parts) {
  return parts.size() == 1 ? parts[0] : group(Op::kSeq, parts);
}

ExprId ExprPool::alt(std::vector<ExprId> choices) {
  return choices.size() == 1 ? choices[0] : group(Op::kAlt, choices);
}

ExprId ExprPool::with_own_counter(ExprId what) {
  if (!exprs[what].counts) return what;
  const uint32_t own = add_rule("repeated");
  define(own, what);
  return rule(own);
}

ExprId ExprPool::repeat(ExprId what, int32_t min, int32_t max) {
  const auto copies = static_cast<uint32_t>(max < 0 ? std::max(min, 1) : max);
  const bool written_out = copies <= 1 || uint64_t{copies} * exprs[what].size <= 32;
  if (!written_out) what = with_own_counter(what);
  const uint32_t size = written_out ? copies * exprs[what].size + 1 : exprs[what].size + 4;
  const bool counts = !written_out || exprs[what].counts;
  return add({.op = Op::kRepeat, .counts = counts, .a = what, .b = written_out, .min = min, .max = max, .size = size});
}

ExprId ExprPool::rule(uint32_t number) {
  return add({.op = Op::kRule, .a = number});
}

ExprId ExprPool::token(int32_t id, bool any_other) {
  return add({.op = Op::kToken, .a = static_cast<uint32_t>(id), .b = any_other});
}

ExprId ExprPool::list(const std::vector<Item>& items, ExprId comma, ExprId others, int32_t min, int32_t max) {
  return group_items(Op::kList, items, comma, others, min, max);
}

ExprId ExprPool::bag(const std::vector<Item>& items, ExprId comma, ExprId others) {
  return group_items(Op::kBag, items, comma, others, 0, kUnbounded);
}

/// Where the group uses the counter, its parts must not.
ExprId ExprPool::group_items(Op op, const std::vector<Item>& items, ExprId comma, ExprId others, int32_t min,
                             int32_t max) {
  const bool counts = op == Op::kBag || min > 0 || max >= 0;
  Expr group{.op = op, .counts = counts, .b = static_cast<uint32_t>(items.size()), .min = min, .max = max, .size = 4};
  const auto part = [&](ExprId what) {
    group.counts |= exprs[what].counts;
    return counts ? with_own_counter(what) : what;
  };
  std::vector<ExprId> parts = {part(comma), others == kUndefined ? kUndefined : part(others)};
  for (const Item& item : items) {
    parts.insert(parts.end(), {part(item.expr), ExprId{item.required}});
    group.size = std::min(kMaxSize, group.size + exprs[item.expr].size + 4);
  }
  group.a = static_cast<uint32_t>(children.size());
  children.insert(children.end(), parts.begin(), parts.end());
  return add(group);
}

ExprId ExprPool::text(Dfa dfa, Encoding encoding) {
  const auto size = static_cast<uint32_t>(4 * dfa.size() + 1);
  dfas.push_back(std::move(dfa));
  return add({.op = Op::kText, .encoding = encoding, .a = static_cast<uint32_t>(dfas.size() - 1), .size = size});
}

ExprId ExprPool::string_rest(int32_t min, int32_t max) {
  return add({.op = Op::kString, .counts = min > 0 || max >= 0, .min = min, .max = max, .size = 40});
}

uint32_t ExprPool::add_rule(std::string name) {
  rules.emplace_back(std::move(name), kUndefined);
  return static_cast<uint32_t>(rules.size() - 1);
}

}  // namespace hearth::grammar
