// Grammar: the ways to make one, and matching a text.
#include "hearth/grammar.h"

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/grammar/automaton.h"
#include "lib/grammar/gbnf.h"
#include "lib/grammar/grammar_impl.h"
#include "lib/grammar/json_language.h"
#include "lib/grammar/regex.h"
#include "lib/grammar/schema.h"

namespace hearth {
namespace {

using grammar::Automaton;
using grammar::ByteSet;

std::string name_of(uint32_t byte) {
  if (byte == '\n') return "'\\n'";
  if (byte == '\t') return "'\\t'";
  if (byte == '\r') return "'\\r'";
  if (byte >= 0x20 && byte < 0x7F) return concat("'", static_cast<char>(byte), "'");
  constexpr char kHex[] = "0123456789ABCDEF";
  return concat("byte ", kHex[byte >> 4], kHex[byte & 15]);
}

/// Ranges of bytes in words.
std::string describe(const ByteSet& bytes) {
  const auto has = [&](uint32_t b) { return b < 256 && (bytes[b >> 6] >> (b & 63) & 1) != 0; };
  std::string out;
  for (uint32_t b = 0; b < 256; ++b) {
    if (!has(b)) continue;
    uint32_t end = b;
    while (has(end + 1)) ++end;
    if (!out.empty()) out += ", ";
    out += name_of(b);
    if (end > b) out += (end > b + 1 ? " to " : ", ") + name_of(end);
    b = end;
  }
  return out;
}

ByteSet live_bytes(Automaton& automaton, grammar::StateId state) {
  ByteSet live{};
  for (uint32_t b = 0; b < 256; ++b) {
    if (automaton.next(state, static_cast<uint8_t>(b)) != grammar::kDead) live[b >> 6] |= uint64_t{1} << (b & 63);
  }
  return live;
}

}  // namespace

Result<Grammar> GrammarInternals::make(const grammar::ExprPool& pool, const grammar::ProgramOptions& options) {
  Result<grammar::Program> program = grammar::make_program(pool, options);
  if (!program) return program.error();
  return Grammar(std::make_shared<const Grammar::Impl>(Grammar::Impl{std::move(*program)}));
}

Result<Grammar> Grammar::from_gbnf(std::string_view text, const Tokenizer* tokenizer) {
  return guard([&]() -> Result<Grammar> {
    Result<grammar::ExprPool> pool = grammar::read_gbnf(text, tokenizer);
    if (!pool) return pool.error();
    return GrammarInternals::make(*pool, {.drop_dead_ends = false});
  });
}

Result<Grammar> Grammar::from_regex(std::string_view pattern) {
  return guard([&]() -> Result<Grammar> {
    grammar::ExprPool pool;
    const uint32_t root = pool.add_rule("root");
    Result<grammar::ExprId> body = grammar::read_regex(pattern, pool);
    if (!body) return body.error();
    pool.define(root, *body);
    return GrammarInternals::make(pool);
  });
}

Result<Grammar> Grammar::from_json_schema(std::string_view schema, const JsonOptions& options) {
  return guard([&]() -> Result<Grammar> {
    const Result<grammar::JsonTree> tree = grammar::JsonTree::parse(schema);
    if (!tree) return tree.error();
    grammar::ExprPool pool;
    const uint32_t root = pool.add_rule("root");
    const Result<grammar::ExprId> body = grammar::SchemaCompiler(*tree, pool, options).run();
    if (!body) return body.error();
    pool.define(root, *body);
    Result<Grammar> grammar = GrammarInternals::make(pool);
    if (grammar && GrammarInternals::program(*grammar).is_empty) {
      return Error{ErrorCode::kInvalidArgument, "schema: no value satisfies it"};
    }
    return grammar;
  });
}

Result<Grammar> Grammar::json(const JsonOptions& options) {
  return guard([&]() -> Result<Grammar> {
    grammar::ExprPool pool;
    const uint32_t root = pool.add_rule("root");
    grammar::JsonLanguage json(pool, options.white_space);
    pool.define(root, json.any_value());
    return GrammarInternals::make(pool);
  });
}

Result<GrammarMatch> Grammar::match(std::string_view text) const {
  return guard([&]() -> Result<GrammarMatch> {
    Automaton automaton(impl_->program);
    grammar::StateId state = automaton.start();
    GrammarMatch match;
    for (const char c : text) {
      const grammar::StateId next = automaton.next(state, static_cast<uint8_t>(c));
      if (next == grammar::kDead) break;
      state = next;
      ++match.taken;
    }
    if (automaton.too_large()) return Error{ErrorCode::kLimit, "grammar: too ambiguous to be followed"};
    match.can_end = match.taken == text.size() && automaton.accepts(state);
    match.expected = describe(live_bytes(automaton, state));
    if (automaton.accepts(state)) match.expected += match.expected.empty() ? "the end" : ", the end";
    return match;
  });
}

}  // namespace hearth
