// Statements, bodies and the whole template.
#include <algorithm>
#include <set>

#include "lib/base/concat.h"
#include "lib/jinja/parser_base.h"

namespace hearth::jinja {
namespace {

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  bool parse() {
    parse_body(tmpl_.body, {});
    return !failed();
  }

 private:
  using Ends = std::vector<std::string_view>;

  void parse_body(Body& body, const Ends& ends);
  // Up to and without the end tag; with `drop` the tag is consumed too.
  void parse_block(Body& body, const Ends& ends, bool drop = true);
  Stmt* parse_statement();
  Stmt* parse_set(uint32_t offset);
  Stmt* parse_for(uint32_t offset);
  Stmt* parse_if(uint32_t offset);
  Stmt* parse_with(uint32_t offset);
  Stmt* parse_macro(uint32_t offset);
  Stmt* parse_call_block(uint32_t offset);
  Stmt* parse_print(uint32_t offset);
  Stmt* parse_named_block(uint32_t offset);
  Stmt* parse_loader(uint32_t offset, const std::string& tag);
  void parse_context();
  void parse_signature(Stmt* stmt);
  void fail_unknown(const std::string& tag, uint32_t offset);
  void fail_end();
  std::string awaited() const;

  std::vector<std::string> tags_;  // open blocks
  std::vector<Ends> ends_;         // what each body waits for
  std::set<std::string> block_names_;
};

std::string Parser::awaited() const {
  std::string out;
  if (!ends_.empty()) {
    out += " Jinja was looking for the following tags: ";
    for (size_t i = 0; i < ends_.back().size(); ++i) {
      concat_to(out, (i ? " or '" : "'"), ends_.back()[i], "'");
    }
    out += ".";
  }
  if (!tags_.empty()) concat_to(out, " The innermost block that needs to be closed is '", tags_.back(), "'.");
  return out;
}

void Parser::fail_unknown(const std::string& tag, uint32_t offset) {
  fail(concat("Encountered unknown tag '", tag, "'.", awaited()), offset);
}

void Parser::fail_end() {
  fail("Unexpected end of template." + awaited());
}

void Parser::parse_body(Body& body, const Ends& ends) {
  while (!failed() && !at(TokenType::kEnd)) {
    const LexToken& token = next();
    if (token.type == TokenType::kData) {
      Stmt* data = make(StmtKind::kData, token.offset);
      data->text = token.text;
      body.push_back(data);
    } else if (token.type == TokenType::kVariableBegin) {
      Stmt* output = make(StmtKind::kOutput, token.offset);
      output->items.push_back(parse_tuple());
      expect(TokenType::kVariableEnd, "end of print statement");
      body.push_back(output);
    } else if (token.type == TokenType::kBlockBegin) {
      for (const std::string_view end : ends) {
        if (at_name(end)) return;
      }
      Stmt* stmt = parse_statement();
      if (failed() || !expect(TokenType::kBlockEnd, "end of statement block")) return;
      body.push_back(stmt);
    } else {
      fail(concat("unexpected '", describe(token), "'"), token.offset);
    }
  }
}

void Parser::parse_block(Body& body, const Ends& ends, bool drop) {
  if (failed()) return;
  skip_op(":");
  if (!expect(TokenType::kBlockEnd, "end of statement block")) return;
  ends_.push_back(ends);
  parse_body(body, ends);
  if (!failed() && at(TokenType::kEnd)) fail_end();
  ends_.pop_back();
  if (drop && !failed()) next();
}

Stmt* Parser::parse_statement() {
  const Nesting nesting(*this);
  if (failed()) return nullptr;
  const LexToken& token = current();
  if (token.type != TokenType::kName) return fail("tag name expected", token.offset), nullptr;
  const std::string& tag = token.text;
  tags_.push_back(tag);
  next();
  Stmt* out = nullptr;
  if (tag == "set") {
    out = parse_set(token.offset);
  } else if (tag == "for") {
    out = parse_for(token.offset);
  } else if (tag == "if") {
    out = parse_if(token.offset);
  } else if (tag == "with") {
    out = parse_with(token.offset);
  } else if (tag == "macro") {
    out = parse_macro(token.offset);
  } else if (tag == "call") {
    out = parse_call_block(token.offset);
  } else if (tag == "filter") {
    out = make(StmtKind::kFilterBlock, token.offset);
    out->value = parse_filter(nullptr, true);
    parse_block(out->body, {"endfilter"});
  } else if (tag == "print") {
    out = parse_print(token.offset);
  } else if (tag == "block") {
    out = parse_named_block(token.offset);
  } else if (tag == "autoescape") {
    out = make(StmtKind::kAutoescape, token.offset);
    out->value = parse_expression();
    parse_block(out->body, {"endautoescape"});
  } else if (tag == "generation") {
    out = make(StmtKind::kGeneration, token.offset);
    parse_block(out->body, {"endgeneration"});
  } else if (tag == "break" || tag == "continue") {
    out = make(tag == "break" ? StmtKind::kBreak : StmtKind::kContinue, token.offset);
  } else if (tag == "extends" || tag == "include" || tag == "import" || tag == "from") {
    out = parse_loader(token.offset, tag);
  } else {
    tags_.pop_back();
    fail_unknown(tag, token.offset);
    return nullptr;
  }
  tags_.pop_back();
  return out;
}

Stmt* Parser::parse_set(uint32_t offset) {
  Expr* target = parse_target(false, End::kNone, true);
  if (failed()) return nullptr;
  if (skip_op("=")) {
    Stmt* set = make(StmtKind::kSet, offset);
    set->target = target;
    set->value = parse_tuple();
    return set;
  }
  Stmt* set = make(StmtKind::kSetBlock, offset);
  set->target = target;
  set->value = parse_filter(nullptr);
  parse_block(set->body, {"endset"});
  return set;
}

Stmt* Parser::parse_for(uint32_t offset) {
  Stmt* loop = make(StmtKind::kFor, offset);
  loop->target = parse_target(false, End::kIn);
  if (failed() || !expect_name("in")) return nullptr;
  loop->value = parse_tuple(false, false, End::kRecursive);
  if (!failed() && skip_name("if")) loop->test = parse_expression();
  loop->recursive = !failed() && skip_name("recursive");
  parse_block(loop->body, {"endfor", "else"}, false);
  if (failed()) return nullptr;
  if (next().text == "else") parse_block(loop->else_body, {"endfor"});
  return loop;
}

Stmt* Parser::parse_if(uint32_t offset) {
  Stmt* const first = make(StmtKind::kIf, offset);
  Stmt* branch = first;
  for (;;) {
    branch->value = parse_tuple(false, false);
    parse_block(branch->body, {"elif", "else", "endif"}, false);
    if (failed()) return nullptr;
    const LexToken& token = next();
    if (token.text == "elif") {
      branch = make(StmtKind::kIf, token.offset);
      first->elifs.push_back(branch);
      continue;
    }
    if (token.text == "else") parse_block(first->else_body, {"endif"});
    return first;
  }
}

Stmt* Parser::parse_with(uint32_t offset) {
  Stmt* with = make(StmtKind::kWith, offset);
  while (!failed() && !at(TokenType::kBlockEnd)) {
    if (!with->targets.empty() && !expect_op(",")) return nullptr;
    with->targets.push_back(parse_target(false));
    if (failed() || !expect_op("=")) return nullptr;
    with->items.push_back(parse_expression());
  }
  parse_block(with->body, {"endwith"});
  return with;
}

void Parser::parse_signature(Stmt* stmt) {
  if (!expect_op("(")) return;
  std::set<std::string> names;
  while (!failed() && !at_op(")")) {
    if (!stmt->parameters.empty() && !expect_op(",")) return;
    Expr* parameter = parse_target(true);
    if (failed()) return;
    if (!names.insert(parameter->name).second) {
      fail(concat("duplicate argument '", parameter->name, "'"), parameter->offset);
      return;
    }
    if (skip_op("=")) {
      stmt->defaults.push_back(parse_expression());
    } else if (!stmt->defaults.empty()) {
      fail("non-default argument follows default argument");
    }
    stmt->parameters.push_back(parameter);
  }
  if (!failed()) expect_op(")");
}

Stmt* Parser::parse_macro(uint32_t offset) {
  Stmt* macro = make(StmtKind::kMacro, offset);
  const Expr* name = parse_target(true);
  if (failed()) return nullptr;
  macro->text = name->name;
  parse_signature(macro);
  parse_block(macro->body, {"endmacro"});
  return macro;
}

Stmt* Parser::parse_call_block(uint32_t offset) {
  Stmt* call = make(StmtKind::kCallBlock, offset);
  if (at_op("(")) parse_signature(call);
  call->value = parse_expression();
  if (failed()) return nullptr;
  if (call->value->kind != ExprKind::kCall) return fail("expected call", offset), nullptr;
  for (const auto& named : call->value->arguments.named) {
    if (named.first == "caller") return fail("keyword argument repeated: caller", offset), nullptr;
  }
  parse_block(call->body, {"endcall"});
  return call;
}

Stmt* Parser::parse_print(uint32_t offset) {
  Stmt* output = make(StmtKind::kOutput, offset);
  while (!failed() && !at(TokenType::kBlockEnd)) {
    if (!output->items.empty() && !expect_op(",")) return nullptr;
    output->items.push_back(parse_expression());
  }
  return output;
}

Stmt* Parser::parse_named_block(uint32_t offset) {
  Stmt* block = make(StmtKind::kBlock, offset);
  block->text = current().text;
  if (!expect(TokenType::kName, "name")) return nullptr;
  block->scoped = skip_name("scoped");
  block->required = skip_name("required");
  parse_block(block->body, {"endblock"});
  if (failed()) return nullptr;
  skip_name(block->text);
  for (const Stmt* child : block->body) {
    const bool blank =
        child->kind == StmtKind::kData && child->text.find_first_not_of(" \t\n\v\f") == std::string::npos;
    if (block->required && !blank)
      return fail("Required blocks can only contain comments or whitespace", offset), nullptr;
  }
  if (!block_names_.insert(block->text).second) {
    return fail(concat("block '", block->text, "' defined twice"), offset), nullptr;
  }
  tmpl_.blocks.push_back(block);
  return block;
}

void Parser::parse_context() {
  const bool context = look().type == TokenType::kName && look().text == "context";
  if (context && (at_name("with") || at_name("without"))) {
    next();
    next();
  }
}

Stmt* Parser::parse_loader(uint32_t offset, const std::string& tag) {
  Stmt* loader = make(StmtKind::kLoader, offset);
  loader->text = tag;
  loader->value = parse_expression();
  if (failed()) return nullptr;
  if (tag == "include") {
    if (at_name("ignore") && look().text == "missing") {
      next();
      next();
    }
    parse_context();
  } else if (tag == "import") {
    if (!expect_name("as")) return nullptr;
    loader->targets.push_back(parse_target(true));
    parse_context();
  } else if (tag == "from") {
    if (!expect_name("import")) return nullptr;
    do {
      Expr* name = parse_target(true);
      if (!failed() && name->name.starts_with("_"))
        fail("names starting with an underline can not be imported", name->offset);
      if (!failed() && skip_name("as")) name = parse_target(true);
      if (failed()) return nullptr;
      name->is_store = true;
      loader->targets.push_back(name);
      parse_context();
    } while (skip_op(","));
  }
  return loader;
}

std::string located(const SyntaxError& error, std::string_view source) {
  const Position at = position_of(source, error.offset);
  return concat("line ", at.line, ", column ", at.column, ": ", error.message);
}

}  // namespace

Result<std::shared_ptr<const Template>> compile_template(std::string_view source) {
  constexpr size_t kMaxSource = size_t{16} << 20;
  if (source.size() > kMaxSource) return Error{ErrorCode::kLimit, "the template is larger than 16 MiB"};
  auto tmpl = std::make_shared<Template>();
  tmpl->source = normalize_source(source);
  SyntaxError error;
  std::vector<LexToken> tokens;
  if (!tokenize(tmpl->source, tokens, error) || !Parser(*tmpl, std::move(tokens), error).parse() ||
      !resolve_scopes(*tmpl, error)) {
    return Error{ErrorCode::kFormat, located(error, tmpl->source)};
  }
  return std::shared_ptr<const Template>(std::move(tmpl));
}

}  // namespace hearth::jinja
