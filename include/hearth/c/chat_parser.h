/* What a model wrote, also while it writes. Twin of hearth/chat_parser.h. */
#ifndef HEARTH_C_CHAT_PARSER_H
#define HEARTH_C_CHAT_PARSER_H

#include "hearth/c/chat_template.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Filled by push() and finish(); what it points to is valid until the next call of the parser. */
typedef struct HearthChatDelta {
  size_t size;
  HearthText content;
  HearthText reasoning;
  const HearthToolCall* tool_calls;
  size_t n_tool_calls;
} HearthChatDelta;

typedef struct HearthChatParser HearthChatParser;
HEARTH_API HearthCode hearth_chat_parser_create(const HearthChatTemplate* chat_template,
                                                const HearthChatOptions* options, HearthChatParser** out,
                                                HearthError* error);
HEARTH_API void hearth_chat_parser_free(HearthChatParser* parser);
HEARTH_API HearthCode hearth_chat_parser_push(HearthChatParser* parser, const char* text, size_t text_size,
                                              HearthChatDelta* out, HearthError* error);
HEARTH_API HearthCode hearth_chat_parser_finish(HearthChatParser* parser, HearthChatDelta* out, HearthError* error);
HEARTH_API bool hearth_chat_parser_knows_calls(const HearthChatParser* parser);
HEARTH_API bool hearth_chat_parser_knows_reasoning(const HearthChatParser* parser);

#ifdef __cplusplus
}
#endif
#endif
