// Parser: tokens to a syntax tree, and the whole way from source to a Template that can run.
#pragma once

#include <memory>
#include <string_view>

#include "hearth/result.h"
#include "lib/jinja/ast.h"
#include "lib/jinja/lexer.h"

namespace hearth::jinja {

/// Bounds of the tree; Python's own are below these.
constexpr uint32_t kMaxExpressionDepth = 300;
constexpr uint32_t kMaxNesting = 120;

/// Parses and resolves names. kFormat, with line and column, when the source is not a template.
Result<std::shared_ptr<const Template>> compile_template(std::string_view source);

/// Gives every name its place (Jinja's scoping rules) and checks filters and tests. False with `error`.
bool resolve_scopes(Template& tmpl, SyntaxError& error);

/// Index of a built-in, UINT32_MAX when there is none of that name.
uint32_t find_filter(std::string_view name);
uint32_t find_test(std::string_view name);

}  // namespace hearth::jinja
