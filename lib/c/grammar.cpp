// Twin of hearth/grammar.h.
#include "lib/c/call.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

Result<JsonOptions> json_options(const HearthJsonOptions* options) {
  const auto full = complete(options, hearth_json_options_init);
  if (!full) return full.error();
  return JsonOptions{.any_order = full->any_order, .white_space = full->white_space};
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_json_options_init(HearthJsonOptions* options) {
  const hearth::JsonOptions defaults;
  fill(options, {0, defaults.any_order, defaults.white_space});
}

HearthCode hearth_grammar_from_gbnf(const char* text, size_t text_size, const HearthTokenizer* tokenizer,
                                    HearthGrammar** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{text, "text"}, {out, "out"}}); !s) return s;
    const hearth::Tokenizer* with = tokenizer == nullptr ? nullptr : &tokenizer->tokenizer;
    return hand_out_handle(hearth::Grammar::from_gbnf(view(text, text_size), with), out);
  });
}
HearthCode hearth_grammar_from_json_schema(const char* schema, size_t schema_size, const HearthJsonOptions* options,
                                           HearthGrammar** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{schema, "schema"}, {out, "out"}}); !s) return s;
    const auto how = json_options(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Grammar::from_json_schema(view(schema, schema_size), *how), out);
  });
}
HearthCode hearth_grammar_from_regex(const char* pattern, size_t pattern_size, HearthGrammar** out,
                                     HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{pattern, "pattern"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::Grammar::from_regex(view(pattern, pattern_size)), out);
  });
}
HearthCode hearth_grammar_json(const HearthJsonOptions* options, HearthGrammar** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    const auto how = json_options(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Grammar::json(*how), out);
  });
}
void hearth_grammar_free(HearthGrammar* grammar) {
  delete grammar;
}
HearthCode hearth_grammar_match(const HearthGrammar* grammar, const char* text, size_t text_size,
                                HearthGrammarMatch* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{grammar, "grammar"}, {out, "out"}}); !s) return s;
    const auto match = grammar->grammar.match(view(text, text_size));
    if (!match) return match.error();
    char* expected = nullptr;
    if (out->size >= sizeof(HearthGrammarMatch)) expected = copy_of(match->expected).release();
    fill(out, {0, match->taken, match->can_end, expected});
    return {};
  });
}

bool hearth_mask_has(const uint64_t* mask, size_t n_words, int32_t id) {
  return mask != nullptr && hearth::mask_has({mask, n_words}, id);
}

HearthCode hearth_grammar_matcher_create(const HearthGrammar* grammar, const HearthTokenizer* tokenizer,
                                         HearthGrammarMatcher** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{grammar, "grammar"}, {tokenizer, "tokenizer"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::GrammarMatcher::create(grammar->grammar, tokenizer->tokenizer), out);
  });
}
void hearth_grammar_matcher_free(HearthGrammarMatcher* matcher) {
  delete matcher;
}
HearthCode hearth_grammar_matcher_clone(const HearthGrammarMatcher* matcher, HearthGrammarMatcher** out,
                                        HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matcher, "matcher"}, {out, "out"}}); !s) return s;
    return hand_out_handle(matcher->matcher.clone(), out);
  });
}
HearthCode hearth_grammar_matcher_mask(HearthGrammarMatcher* matcher, const uint64_t** mask, size_t* n_words,
                                       HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matcher, "matcher"}, {mask, "mask"}, {n_words, "n_words"}}); !s) return s;
    const auto made = matcher->matcher.mask();
    if (!made) return made.error();
    *mask = made->data();
    *n_words = made->size();
    return {};
  });
}
HearthCode hearth_grammar_matcher_allows(HearthGrammarMatcher* matcher, int32_t id, bool* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matcher, "matcher"}, {out, "out"}}); !s) return s;
    return hand_out_value(matcher->matcher.allows(id), out);
  });
}
HearthCode hearth_grammar_matcher_accept(HearthGrammarMatcher* matcher, int32_t id, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matcher, "matcher"}}); !s) return s;
    return matcher->matcher.accept(id);
  });
}
HearthCode hearth_grammar_matcher_accept_text(HearthGrammarMatcher* matcher, const char* text, size_t text_size,
                                              HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matcher, "matcher"}}); !s) return s;
    return matcher->matcher.accept(view(text, text_size));
  });
}
void hearth_grammar_matcher_rollback(HearthGrammarMatcher* matcher, size_t n) {
  if (matcher != nullptr) matcher->matcher.rollback(n);
}
size_t hearth_grammar_matcher_n_accepted(const HearthGrammarMatcher* matcher) {
  return matcher == nullptr ? 0 : matcher->matcher.n_accepted();
}
HearthCode hearth_grammar_matcher_forced(HearthGrammarMatcher* matcher, char** text, size_t* text_size,
                                         HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matcher, "matcher"}, {text, "text"}}); !s) return s;
    const auto made = matcher->matcher.forced();
    if (!made) return made.error();
    return hand_out(*made, text, text_size);
  });
}
bool hearth_grammar_matcher_can_end(const HearthGrammarMatcher* matcher) {
  return matcher != nullptr && matcher->matcher.can_end();
}
bool hearth_grammar_matcher_is_complete(const HearthGrammarMatcher* matcher) {
  return matcher != nullptr && matcher->matcher.is_complete();
}
bool hearth_grammar_matcher_ended(const HearthGrammarMatcher* matcher) {
  return matcher != nullptr && matcher->matcher.ended();
}

}  // extern "C"
