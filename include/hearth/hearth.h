// The whole public API of hearth.
#pragma once

#include "hearth/batch.h"
#include "hearth/chat.h"
#include "hearth/chat_template.h"
#include "hearth/cpu.h"
#include "hearth/embedder.h"
#include "hearth/generator.h"
#include "hearth/gguf.h"
#include "hearth/importance_matrix.h"
#include "hearth/kv_cache.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "hearth/sampler.h"
#include "hearth/session.h"
#include "hearth/threads.h"
#include "hearth/tokenizer.h"
#include "hearth/version.h"
