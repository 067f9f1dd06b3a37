/* A conversation with a model. Twin of hearth/chat.h. */
#ifndef HEARTH_C_CHAT_H
#define HEARTH_C_CHAT_H

#include "hearth/c/chat_template.h"
#include "hearth/c/session.h"
#include "hearth/c/tool_use.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ContextFullPolicy. */
enum { HEARTH_CONTEXT_FULL_POLICY_STOP = 0, HEARTH_CONTEXT_FULL_POLICY_DROP_OLDEST = 1 };

typedef struct HearthChatSettings {
  size_t size;
  /* NULL: as in C++, answers of any length without the text of control tokens. Options that you give count as they
   * are. */
  const HearthGenerateOptions* generate;
  const HearthChatOptions* prompt;
  const HearthToolUseOptions* tools;
  int32_t when_full;
  int32_t room;
} HearthChatSettings;
HEARTH_API void hearth_chat_settings_init(HearthChatSettings* settings);

/* An answer; yours. */
typedef struct HearthChatAnswer HearthChatAnswer;
HEARTH_API void hearth_chat_answer_free(HearthChatAnswer* answer);
HEARTH_API HearthText hearth_chat_answer_text(const HearthChatAnswer* answer);
HEARTH_API void hearth_chat_answer_message(const HearthChatAnswer* answer, HearthChatMessage* out);
HEARTH_API int32_t hearth_chat_answer_stop_reason(const HearthChatAnswer* answer);
HEARTH_API int32_t hearth_chat_answer_cached_tokens(const HearthChatAnswer* answer);
HEARTH_API int32_t hearth_chat_answer_dropped_messages(const HearthChatAnswer* answer);
HEARTH_API void hearth_chat_answer_timings(const HearthChatAnswer* answer, HearthTimings* out);

/* Borrows its session, which must outlive it. */
typedef struct HearthChat HearthChat;
/* The template may be NULL: that of the model's file. */
HEARTH_API HearthCode hearth_chat_create(HearthSession* session, const HearthChatTemplate* chat_template,
                                         const HearthChatSettings* settings, HearthChat** out, HearthError* error);
HEARTH_API void hearth_chat_free(HearthChat* chat);
/* on_text and out may be NULL. */
HEARTH_API HearthCode hearth_chat_say(HearthChat* chat, const char* text, size_t text_size, HearthTextCallback on_text,
                                      void* user, HearthChatAnswer** out, HearthError* error);
HEARTH_API HearthCode hearth_chat_answer(HearthChat* chat, HearthTextCallback on_text, void* user,
                                         HearthChatAnswer** out, HearthError* error);
/* The i-th message of the history, false beyond the last; valid until the next call. */
HEARTH_API bool hearth_chat_messages(HearthChat* chat, size_t i, HearthChatMessage* out);
/* Replaces the history. */
HEARTH_API HearthCode hearth_chat_set_messages(HearthChat* chat, const HearthChatMessage* messages, size_t n,
                                               HearthError* error);
HEARTH_API HearthCode hearth_chat_set_settings(HearthChat* chat, const HearthChatSettings* settings,
                                               HearthError* error);
HEARTH_API const HearthChatTemplate* hearth_chat_chat_template(const HearthChat* chat);
HEARTH_API int32_t hearth_chat_used_tokens(const HearthChat* chat);

#ifdef __cplusplus
}
#endif
#endif
