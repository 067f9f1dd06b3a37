// Statuses and forms of errors.
#include "api_error.h"

namespace hearth_server {

ApiError api_error(const hearth::Error& error) {
  using hearth::ErrorCode;
  switch (error.code) {
    case ErrorCode::kContextFull: return {400, error.message, "context_length_exceeded"};
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kFormat: return {400, error.message};
    case ErrorCode::kNotFound: return {404, error.message};
    case ErrorCode::kUnsupported: return {501, error.message};
    case ErrorCode::kLimit: return {429, "server busy, please try again: " + error.message};
    case ErrorCode::kOutOfMemory: return {503, "out of memory: " + error.message};
    case ErrorCode::kCancelled: return {503, "the answer was given up: the server or the model is being stopped"};
    case ErrorCode::kIo: break;
  }
  return {500, error.message};
}

Protocol protocol_of(const std::string& path) {
  const auto begins = [&](const char* text) { return path.rfind(text, 0) == 0; };
  if (begins("/v1/messages")) return Protocol::kAnthropic;
  if (begins("/api/") && !begins("/api/v0/") && !begins("/api/v1/")) return Protocol::kOllama;
  return Protocol::kOpenAI;
}

const char* error_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 501: return "not_supported_error";
    case 503: return "unavailable_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

Json error_json(Protocol protocol, const ApiError& error) {
  if (protocol == Protocol::kOllama) return {{"error", error.what()}};
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  if (protocol == Protocol::kAnthropic) {
    const bool is_fault = error.status >= 500;
    const char* type = is_fault ? (error.status == 503 ? "overloaded_error" : "api_error") : error_type(error.status);
    return {{"type", "error"}, {"error", {{"type", type}, {"message", error.what()}}}};
  }
  const bool is_too_long = error.code == "context_length_exceeded";
  return {{"error",
           {{"message", error.what()},
            {"type", is_too_long ? "exceed_context_size_error" : error_type(error.status)},
            {"param", or_null(error.param)},
            {"code", error.code.empty() ? Json(error.status) : Json(error.code)}}}};
}

HttpReply json_reply(const Json& value, int status) {
  HttpReply reply;
  reply.status = status;
  reply.type = "application/json; charset=utf-8";
  reply.body = to_text(value);
  return reply;
}

HttpReply error_reply(Protocol protocol, const ApiError& error) {
  // A full queue is 503 to Ollama's clients, and 429 to those who know that it means to try again.
  const int status = error.status == 429 && protocol == Protocol::kOllama ? 503 : error.status;
  HttpReply reply = json_reply(error_json(protocol, error), status);
  if (status == 503 || status == 429) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

}  // namespace hearth_server
