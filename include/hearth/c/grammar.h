/* Which texts may be written. Twin of hearth/grammar.h. */
#ifndef HEARTH_C_GRAMMAR_H
#define HEARTH_C_GRAMMAR_H

#include "hearth/c/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthJsonOptions {
  size_t size;
  bool any_order;
  bool white_space;
} HearthJsonOptions;
HEARTH_API void hearth_json_options_init(HearthJsonOptions* options);

typedef struct HearthGrammar HearthGrammar;
/* The tokenizer may be NULL. */
HEARTH_API HearthCode hearth_grammar_from_gbnf(const char* text, size_t text_size, const HearthTokenizer* tokenizer,
                                               HearthGrammar** out, HearthError* error);
HEARTH_API HearthCode hearth_grammar_from_json_schema(const char* schema, size_t schema_size,
                                                      const HearthJsonOptions* options, HearthGrammar** out,
                                                      HearthError* error);
HEARTH_API HearthCode hearth_grammar_from_regex(const char* pattern, size_t pattern_size, HearthGrammar** out,
                                                HearthError* error);
HEARTH_API HearthCode hearth_grammar_json(const HearthJsonOptions* options, HearthGrammar** out, HearthError* error);
HEARTH_API void hearth_grammar_free(HearthGrammar* grammar);

/* GrammarMatch; `expected` is yours. */
typedef struct HearthGrammarMatch {
  size_t size;
  size_t taken;
  bool can_end;
  char* expected;
} HearthGrammarMatch;
HEARTH_API HearthCode hearth_grammar_match(const HearthGrammar* grammar, const char* text, size_t text_size,
                                           HearthGrammarMatch* out, HearthError* error);

HEARTH_API bool hearth_mask_has(const uint64_t* mask, size_t n_words, int32_t id);

typedef struct HearthGrammarMatcher HearthGrammarMatcher;
HEARTH_API HearthCode hearth_grammar_matcher_create(const HearthGrammar* grammar, const HearthTokenizer* tokenizer,
                                                    HearthGrammarMatcher** out, HearthError* error);
HEARTH_API void hearth_grammar_matcher_free(HearthGrammarMatcher* matcher);
HEARTH_API HearthCode hearth_grammar_matcher_clone(const HearthGrammarMatcher* matcher, HearthGrammarMatcher** out,
                                                   HearthError* error);
/* Valid until the next call. */
HEARTH_API HearthCode hearth_grammar_matcher_mask(HearthGrammarMatcher* matcher, const uint64_t** mask, size_t* n_words,
                                                  HearthError* error);
HEARTH_API HearthCode hearth_grammar_matcher_allows(HearthGrammarMatcher* matcher, int32_t id, bool* out,
                                                    HearthError* error);
HEARTH_API HearthCode hearth_grammar_matcher_accept(HearthGrammarMatcher* matcher, int32_t id, HearthError* error);
HEARTH_API HearthCode hearth_grammar_matcher_accept_text(HearthGrammarMatcher* matcher, const char* text,
                                                         size_t text_size, HearthError* error);
HEARTH_API void hearth_grammar_matcher_rollback(HearthGrammarMatcher* matcher, size_t n);
HEARTH_API size_t hearth_grammar_matcher_n_accepted(const HearthGrammarMatcher* matcher);
HEARTH_API HearthCode hearth_grammar_matcher_forced(HearthGrammarMatcher* matcher, char** text, size_t* text_size,
                                                    HearthError* error);
HEARTH_API bool hearth_grammar_matcher_can_end(const HearthGrammarMatcher* matcher);
HEARTH_API bool hearth_grammar_matcher_is_complete(const HearthGrammarMatcher* matcher);
HEARTH_API bool hearth_grammar_matcher_ended(const HearthGrammarMatcher* matcher);

#ifdef __cplusplus
}
#endif
#endif
