/* Tools in a conversation: their prompt, the grammar of their calls, the parser. Twin of hearth/tool_use.h. */
#ifndef HEARTH_C_TOOL_USE_H
#define HEARTH_C_TOOL_USE_H

#include "hearth/c/chat_parser.h"
#include "hearth/c/grammar.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ToolChoice. */
enum {
  HEARTH_TOOL_CHOICE_AUTO = 0,
  HEARTH_TOOL_CHOICE_NONE = 1,
  HEARTH_TOOL_CHOICE_REQUIRED = 2,
  HEARTH_TOOL_CHOICE_NAMED = 3
};

typedef struct HearthToolUseOptions {
  size_t size;
  int32_t choice;
  const char* name;
  bool parallel;
} HearthToolUseOptions;
HEARTH_API void hearth_tool_use_options_init(HearthToolUseOptions* options);

typedef struct HearthToolUse HearthToolUse;
HEARTH_API HearthCode hearth_tool_use_create(const HearthChatTemplate* chat_template, const HearthChatOptions* options,
                                             const HearthToolUseOptions* use, HearthToolUse** out, HearthError* error);
HEARTH_API void hearth_tool_use_free(HearthToolUse* use);
HEARTH_API HearthCode hearth_tool_use_render(const HearthToolUse* use, const HearthChatMessage* messages, size_t n,
                                             HearthChatPrompt** out, HearthError* error);
/* ToolGrammar: the grammar, NULL where nothing is kept to, and the text behind which it begins; both are yours. The
 * tokenizer may be NULL. */
HEARTH_API HearthCode hearth_tool_use_grammar(const HearthToolUse* use, const HearthTokenizer* tokenizer,
                                              HearthGrammar** grammar, char** after, HearthError* error);
HEARTH_API HearthCode hearth_tool_use_parser(const HearthToolUse* use, HearthChatParser** out, HearthError* error);
HEARTH_API bool hearth_tool_use_has_tools(const HearthToolUse* use);
HEARTH_API bool hearth_tool_use_is_generic(const HearthToolUse* use);

#ifdef __cplusplus
}
#endif
#endif
