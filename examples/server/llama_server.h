// What the files of llama-server's routes share: the model of a request that may name none.
#pragma once

#include <string>

#include "server.h"

namespace hearth_server {

/// What a native route wants of a model.
enum class Native { kText, kVectors };

/// The name that a body gives; or else, of the models that can do it, the one that was used last, or the first.
std::string native_name(Context& context, const Json& body, Native what = Native::kText);
Lease native_model(Context& context, const Json& body, Native what = Native::kText);

/// How an answer is written, as llama-server tells it.
Json settings_json(const Ask& ask, const LoadedModel& model);

}  // namespace hearth_server
