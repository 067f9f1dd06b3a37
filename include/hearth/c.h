/* The whole of hearth for C and for whatever calls C: each header of include/hearth/c is the twin of a C++ header.
 *
 *   HearthError error;
 *   HearthModel* model;
 *   HearthSession* session;
 *   HearthGeneration* made;
 *   if (hearth_model_open("model.gguf", NULL, &model, &error) != HEARTH_OK) return fail(error.message);
 *   hearth_session_create(model, NULL, &session, &error);
 *   hearth_session_generate(session, "Once upon a time", HEARTH_NUL, NULL, print, NULL, &made, &error);
 *
 * The rules, which hold for every function:
 *
 * Names. hearth_<class>_<function> is <class>::<function> of the C++ header, HearthName is Name, HEARTH_NAME_VALUE is
 * Name::kValue. What arguments mean, what threads may do and which errors there are is said there; here stands what C
 * adds.
 *
 * Errors. What can fail returns a HearthCode, HEARTH_OK or what went wrong, and writes code and message to `error`,
 * which may be NULL and needs no release. After an error the out-parameters are as they were. Nothing is thrown, and
 * memory that runs out is the error HEARTH_OUT_OF_MEMORY. NULL for a handle, or for text that is needed, is
 * HEARTH_INVALID_ARGUMENT; functions without a HearthCode give nothing, 0 or NULL then.
 *
 * Ownership. A handle that a function gives through HearthX** is yours: hearth_x_free(), which takes NULL, too. Arrays
 * and texts through a pointer to a pointer without const are yours: hearth_free(). Whatever is const belongs to the
 * handle that it came from, and lives as long as that or as its comment says. Handles keep alive what they need: a
 * model may be freed while its sessions live. Options and their texts are copied; what they point to by handles
 * (thread pools, cancels, samplers, speculators) must outlive the call or the object that they are for.
 *
 * Text is bytes with a length, or HEARTH_NUL for text that ends with a zero. Text that is yours, and every const char*,
 * ends with a zero; a HearthText has its length alone. Paths and names are UTF-8. Token ids are int32_t.
 *
 * Structs with a field `size` may grow in later versions: set it to sizeof, then let hearth_..._init() fill in the
 * defaults; NULL for options takes the defaults. Structs that are filled for you need `size` as well. A field
 * has_something says whether `something` counts (std::optional in C++).
 *
 * Callbacks get the `user` pointer that was given with them, and must not let exceptions or longjmp through. */
#ifndef HEARTH_C_H
#define HEARTH_C_H

#include "hearth/c/adapter.h"
#include "hearth/c/base.h"
#include "hearth/c/chat.h"
#include "hearth/c/chat_parser.h"
#include "hearth/c/chat_template.h"
#include "hearth/c/compare.h"
#include "hearth/c/convert.h"
#include "hearth/c/cpu.h"
#include "hearth/c/embedder.h"
#include "hearth/c/engine.h"
#include "hearth/c/generator.h"
#include "hearth/c/gguf.h"
#include "hearth/c/grammar.h"
#include "hearth/c/importance_matrix.h"
#include "hearth/c/kv_cache.h"
#include "hearth/c/merge.h"
#include "hearth/c/model.h"
#include "hearth/c/quality.h"
#include "hearth/c/quantizer.h"
#include "hearth/c/sampler.h"
#include "hearth/c/session.h"
#include "hearth/c/speculation.h"
#include "hearth/c/tokenizer.h"
#include "hearth/c/tool_use.h"
#include "hearth/c/trace.h"

#endif
