// Scopes: which place a name gets, and what it begins as.
#include <gtest/gtest.h>

#include "hearth/chat_template.h"
#include "lib/jinja/parser.h"

namespace hearth::jinja {
namespace {

std::shared_ptr<const Template> compiled(std::string_view source) {
  auto tmpl = compile_template(source);
  EXPECT_TRUE(tmpl) << tmpl.error().message;
  return tmpl ? *tmpl : nullptr;
}

std::string rendered(std::string_view source) {
  const auto tmpl = ChatTemplate::compile(source);
  if (!tmpl) return tmpl.error().message;
  const auto text = tmpl->render_json(R"({"x": "outer", "l": [1, 2]})", 0);
  return text ? *text : text.error().message;
}

TEST(JinjaScopes, NamesThatAreOnlyReadAreResolvedOnce) {
  const auto tmpl = compiled("{{ a }}{{ a }}{{ b }}");
  ASSERT_EQ(tmpl->scope.loads.size(), 2u);
  EXPECT_EQ(tmpl->scope.loads[0].action, LoadAction::kResolve);
  EXPECT_EQ(tmpl->scope.loads[0].name, "a");
  EXPECT_EQ(tmpl->body[0]->items[0]->slot.index, tmpl->body[1]->items[0]->slot.index);
}

TEST(JinjaScopes, LoopsHavePlacesOfTheirOwn) {
  const auto tmpl = compiled("{% set x = 1 %}{% for i in l %}{% set x = i %}{{ loop.index }}{% endfor %}{{ x }}");
  const Stmt* loop = tmpl->body[1];
  EXPECT_TRUE(loop->extended_loop);
  const Stmt* inside = loop->body[0];
  EXPECT_NE(inside->target->slot.index, tmpl->body[0]->target->slot.index);
  EXPECT_EQ(inside->target->slot.hops, 0u) << "a loop is no function";
  bool alias = false;
  for (const Load& load : loop->scope.loads) alias = alias || load.action == LoadAction::kAlias;
  EXPECT_TRUE(alias) << "x begins each round as the outer x";
}

TEST(JinjaScopes, MacrosAreFunctions) {
  const auto tmpl = compiled("{% set x = 1 %}{% macro m(a) %}{{ x }}{{ a }}{{ varargs }}{% endmacro %}");
  const Stmt* macro = tmpl->body[1];
  EXPECT_EQ(tmpl->functions.size(), 2u);
  EXPECT_EQ(macro->function, 1);
  EXPECT_TRUE(macro->uses_varargs);
  EXPECT_FALSE(macro->uses_kwargs || macro->uses_caller);
  EXPECT_EQ(macro->body[0]->items[0]->slot.hops, 1u) << "x lies one function outwards";
  EXPECT_EQ(macro->body[1]->items[0]->slot.hops, 0u);
}

TEST(JinjaScopes, AssignmentsEndWithTheirScope) {
  EXPECT_EQ(rendered("{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}"), "12outer");
  EXPECT_EQ(rendered("{% if true %}{% set x = 1 %}{% endif %}{{ x }}"), "1") << "an if opens no scope";
  EXPECT_EQ(rendered("{% if false %}{% set x = 1 %}{% endif %}{{ x }}"), "outer");
  EXPECT_EQ(rendered("{% with x = 1 %}{{ x }}{% endwith %}{{ x }}"), "1outer");
  EXPECT_EQ(rendered("{% for i in l %}{{ x }}{% set x = i %}{% endfor %}"), "outerouter")
      << "every round starts afresh";
  EXPECT_EQ(rendered("{% set n = namespace(x=0) %}{% for i in l %}{% set n.x = i %}{% endfor %}{{ n.x }}"), "2");
  EXPECT_EQ(rendered("{% macro m() %}{{ x }}{% set x = 1 %}{% endmacro %}{{ m() }}{{ x }}"), "outerouter");
}

TEST(JinjaScopes, WhatCannotBeIsRefused) {
  EXPECT_EQ(rendered("{% break %}"), "line 1, column 4: 'break' or 'continue' outside of a loop");
  EXPECT_EQ(rendered("{{ 1|nothing }}"), "line 1, column 6: No filter named 'nothing'.");
  EXPECT_EQ(rendered("{{ 1 if true else 1|nothing }}"), "1") << "in a branch: found out when it runs";
  EXPECT_NE(rendered("{% for loop in l %}{% endfor %}").find("special loop variable"), std::string::npos);
}

}  // namespace
}  // namespace hearth::jinja
