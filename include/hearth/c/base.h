/* What all of the C interface shares: errors, texts, cancelling, thread pools. Twin of result.h, batch.h, threads.h and
 * version.h. */
#ifndef HEARTH_C_BASE_H
#define HEARTH_C_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hearth/api.h"
#include "hearth/version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t HearthCode;
enum {
  HEARTH_OK = 0,
  HEARTH_INVALID_ARGUMENT = 1,
  HEARTH_NOT_FOUND = 2,
  HEARTH_IO = 3,
  HEARTH_FORMAT = 4,
  HEARTH_UNSUPPORTED = 5,
  HEARTH_OUT_OF_MEMORY = 6,
  HEARTH_CONTEXT_FULL = 7,
  HEARTH_CANCELLED = 8,
  HEARTH_LIMIT = 9
};

/* What went wrong, in one printable line. */
typedef struct HearthError {
  HearthCode code;
  char message[512];
} HearthError;

/* "ok", "invalid_argument", "context_full", ... */
HEARTH_API const char* hearth_error_code_name(HearthCode code);

/* "0.1.0", of the library; HEARTH_VERSION_MAJOR and the like are those of the headers. */
HEARTH_API const char* hearth_version(void);

/* A length: the text ends with a zero. */
#define HEARTH_NUL ((size_t)-1)

/* Bytes that belong to somebody else. */
typedef struct HearthText {
  const char* data;
  size_t size;
} HearthText;

/* Releases an array or text that a function handed out. */
HEARTH_API void hearth_free(void* memory);

/* How far a long call has come; return false to end it with HEARTH_CANCELLED. */
typedef bool (*HearthProgress)(void* user, uint64_t done, uint64_t total);

/* Ends a call from another thread or a signal's handler. */
typedef struct HearthCancel HearthCancel;
HEARTH_API HearthCode hearth_cancel_create(HearthCancel** out, HearthError* error);
HEARTH_API void hearth_cancel_set(HearthCancel* cancel, bool cancelled);
HEARTH_API void hearth_cancel_free(HearthCancel* cancel);

/* Threads worth using on this machine. */
HEARTH_API int32_t hearth_default_thread_count(void);

/* A host's own pool: run() calls task(context, i) once for every i in [0, n_tasks), from any of its threads, and
 * returns when all are done. */
typedef void (*HearthTask)(void* context, int32_t i);
typedef void (*HearthRunTasks)(void* user, int32_t n_tasks, HearthTask task, void* context);
typedef struct HearthThreadPool HearthThreadPool;
HEARTH_API HearthCode hearth_thread_pool_create(int32_t n_threads, HearthRunTasks run, void* user,
                                                HearthThreadPool** out, HearthError* error);
HEARTH_API void hearth_thread_pool_free(HearthThreadPool* pool);

/* One token to compute: BatchToken. */
typedef struct HearthBatchToken {
  int32_t id;
  int32_t pos;
  int32_t seq;
  int32_t logits; /* not 0: its logits are wanted */
} HearthBatchToken;

#ifdef __cplusplus
}
#endif
#endif
