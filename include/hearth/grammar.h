// Grammar: which texts may be written, and the tokens that keep to it.
//
//   auto grammar = hearth::Grammar::from_json_schema(R"({"type": "integer", "minimum": 1})");
//   auto matcher = hearth::GrammarMatcher::create(*grammar, model->tokenizer());
//   auto mask = matcher->mask();   // a bit per token
//   if (hearth::mask_has(*mask, token)) hearth::Status taken = matcher->accept(token);
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "hearth/result.h"
#include "hearth/tokenizer.h"

namespace hearth {

struct JsonOptions {
  bool any_order = false;    ///< true: properties that a schema lists may stand in any order (in objects with up to 62)
  bool white_space = false;  ///< true: blanks and line breaks may stand wherever JSON allows them; false: nowhere
};

/// What a text did to a grammar.
struct GrammarMatch {
  size_t taken = 0;        ///< bytes that the grammar allows from the beginning
  bool can_end = false;    ///< all of them were taken, and the grammar may end there
  std::string expected{};  ///< what could have followed them, in words: "a-z, '\"', the end"
};

/// A set of texts, as an automaton over their bytes. Immutable, shareable by threads; copying is cheap.
class Grammar {
 public:
  /// GBNF, the notation of llama.cpp; its rule `root` is the start. Tokens that it names (`<|eot_id|>`, `<[128009]>`,
  /// `!<...>`) need a tokenizer. kFormat with line and column; left recursion and endless repetition of what may be
  /// empty are refused.
  static Result<Grammar> from_gbnf(std::string_view text, const Tokenizer* tokenizer = nullptr);
  /// JSON values that satisfy a schema (JSON text; draft 2020-12, or 4 to 2019-09 where `$schema` says so). Properties
  /// stand in the schema's order. Fails closed: what cannot be enforced is an error that names the keyword and its
  /// path.
  static Result<Grammar> from_json_schema(std::string_view schema, const JsonOptions& options = {});
  /// Texts that a regular expression (ECMAScript's, with the meaning of the flag u) matches as a whole, by characters.
  /// kUnsupported names what is no regular language: references back, looking around.
  static Result<Grammar> from_regex(std::string_view pattern);
  /// Any JSON value.
  static Result<Grammar> json(const JsonOptions& options = {});

  /// How far a text goes along with the grammar.
  Result<GrammarMatch> match(std::string_view text) const;

  struct Impl;

 private:
  friend struct GrammarInternals;
  explicit Grammar(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// True when the token's bit is set; false for an id beyond the mask.
inline bool mask_has(std::span<const uint64_t> mask, Token id) {
  return id >= 0 && static_cast<size_t>(id) / 64 < mask.size() &&
         (mask[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
}

/// Where one text stands in a grammar. Not thread-safe; movable. What it has computed of the grammar it keeps, so that
/// the same place costs nothing the next time.
class GrammarMatcher {
 public:
  /// The first matcher for a tokenizer sorts its vocabulary, which takes some tens of milliseconds.
  static Result<GrammarMatcher> create(const Grammar& grammar, const Tokenizer& tokenizer);
  GrammarMatcher(GrammarMatcher&&) noexcept;
  GrammarMatcher& operator=(GrammarMatcher&&) noexcept;
  ~GrammarMatcher();
  /// Another text that stands where this one does.
  Result<GrammarMatcher> clone() const;

  /// The tokens that may follow: bit id % 64 of word id / 64, for Tokenizer::n_vocab ids. End tokens are among them
  /// where the text may end. Of what a grammar made from a schema or a pattern allows, something always is. Valid until
  /// the next call.
  Result<std::span<const uint64_t>> mask();
  /// True when mask() has the token, without computing the mask.
  Result<bool> allows(Token id);
  /// Goes on by a token. kInvalidArgument, and nothing changes, when it may not follow; kLimit when the grammar is so
  /// ambiguous there that following it would take too much memory. An end token ends the text.
  Status accept(Token id);
  /// Goes on by text, whatever its tokens; one step for rollback(). Errors as accept().
  Status accept(std::string_view text);
  /// Takes the last `n` steps back (all of them when there are fewer).
  void rollback(size_t n);
  size_t n_accepted() const;
  /// The text that must follow: as long as one byte alone can. Empty where there is a choice, where the text may end,
  /// or where a token that the grammar names may follow.
  Result<std::string> forced();
  /// True when the text may end here.
  bool can_end() const;
  /// True when it may end here, and no text may follow.
  bool is_complete() const;
  /// True after an end token.
  bool ended() const;

 private:
  struct Impl;
  explicit GrammarMatcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
