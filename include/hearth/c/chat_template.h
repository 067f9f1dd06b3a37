/* A conversation as the model's own template writes it. Twin of hearth/chat_template.h. */
#ifndef HEARTH_C_CHAT_TEMPLATE_H
#define HEARTH_C_CHAT_TEMPLATE_H

#include "hearth/c/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* This struct does not grow. */
typedef struct HearthToolCall {
  const char* id; /* NULL: empty, as for every text here and below */
  const char* name;
  const char* arguments_json;
} HearthToolCall;

typedef struct HearthChatMessage {
  size_t size; /* of each message of an array */
  const char* role;
  const char* content;
  const char* content_parts_json;
  const char* reasoning;
  const HearthToolCall* tool_calls;
  size_t n_tool_calls;
  const char* tool_call_id;
  const char* name;
  bool no_content;
  const char* more_json;
} HearthChatMessage;
HEARTH_API void hearth_chat_message_init(HearthChatMessage* message);

/* This struct does not grow. */
typedef struct HearthChatVariable {
  const char* name;
  const char* json;
} HearthChatVariable;

typedef struct HearthChatOptions {
  size_t size;
  bool add_generation_prompt;
  const char* tools_json;
  const HearthChatVariable* variables;
  size_t n_variables;
  int64_t now;
} HearthChatOptions;
HEARTH_API void hearth_chat_options_init(HearthChatOptions* options);

/* This struct does not grow. */
typedef struct HearthChatPiece {
  HearthText text;
  bool trusted;
} HearthChatPiece;

typedef struct HearthChatPrompt HearthChatPrompt;
HEARTH_API HearthCode hearth_chat_prompt_create(const HearthChatPiece* pieces, size_t n, HearthChatPrompt** out,
                                                HearthError* error);
HEARTH_API void hearth_chat_prompt_free(HearthChatPrompt* prompt);
/* The i-th piece, false beyond the last. */
HEARTH_API bool hearth_chat_prompt_pieces(const HearthChatPrompt* prompt, size_t i, HearthChatPiece* out);
HEARTH_API HearthCode hearth_chat_prompt_text(const HearthChatPrompt* prompt, char** text, size_t* text_size,
                                              HearthError* error);

typedef struct HearthChatTemplate HearthChatTemplate;
HEARTH_API HearthCode hearth_chat_template_compile(const char* source, size_t source_size, const char* bos,
                                                   const char* eos, HearthChatTemplate** out, HearthError* error);
HEARTH_API HearthCode hearth_chat_template_from_gguf(const HearthGgufFile* file, const HearthTokenizer* tokenizer,
                                                     HearthChatTemplate** out, HearthError* error);
HEARTH_API void hearth_chat_template_free(HearthChatTemplate* chat_template);
HEARTH_API HearthCode hearth_chat_template_render(const HearthChatTemplate* chat_template,
                                                  const HearthChatMessage* messages, size_t n,
                                                  const HearthChatOptions* options, HearthChatPrompt** out,
                                                  HearthError* error);
/* `now`: seconds since 1970, < 0: the clock. */
HEARTH_API HearthCode hearth_chat_template_render_json(const HearthChatTemplate* chat_template,
                                                       const char* variables_json, size_t json_size, int64_t now,
                                                       char** text, size_t* text_size, HearthError* error);
HEARTH_API HearthCode hearth_chat_template_encode(const HearthChatPrompt* prompt, const HearthTokenizer* tokenizer,
                                                  int32_t** ids, size_t* n, HearthError* error);
HEARTH_API HearthText hearth_chat_template_source(const HearthChatTemplate* chat_template);
HEARTH_API HearthText hearth_chat_template_warning(const HearthChatTemplate* chat_template);

#ifdef __cplusplus
}
#endif
#endif
