// What is wrong with a request, and how each protocol says it.
#pragma once

#include <stdexcept>
#include <string>

#include "hearth/result.h"
#include "http.h"
#include "json.h"

namespace hearth_server {

/// Thrown by readers of requests and what they call; becomes the reply where the request is dispatched.
struct ApiError : std::runtime_error {
  ApiError(int status_, const std::string& message, std::string code_ = "", std::string param_ = "")
      : std::runtime_error(message), status(status_), code(std::move(code_)), param(std::move(param_)) {}
  int status;
  std::string code, param;  ///< of the OpenAI form; may be empty
};

/// The status that an error of the library deserves.
ApiError api_error(const hearth::Error& error);

/// Families of routes, each with its own form of errors.
enum class Protocol { kOpenAI, kOllama, kAnthropic };
Protocol protocol_of(const std::string& path);

/// "invalid_request_error", ...
const char* error_type(int status);
Json error_json(Protocol protocol, const ApiError& error);
HttpReply error_reply(Protocol protocol, const ApiError& error);
HttpReply json_reply(const Json& value, int status = 200);

}  // namespace hearth_server
