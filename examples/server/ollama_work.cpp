// Progress of long work as Ollama's clients read it.
#include "ollama_work.h"

#include "fields.h"
#include "ollama.h"

namespace hearth_server {

std::string model_name_in(const Json& body) {
  const std::string name = text_or(body, "model", text_or(body, "name").c_str());
  if (name.empty()) throw ApiError(400, "model is required");
  return name;
}

hearth_store::ModelName read_model_name(const std::string& text) {
  auto name = hearth_store::ModelName::parse(text);
  if (!name) throw store_error(name.error());
  return std::move(*name);
}

ApiError store_error(const hearth::Error& error) {
  switch (error.code) {
    case hearth::ErrorCode::kNotFound: return ApiError(404, error.message, "model_not_found");
    case hearth::ErrorCode::kUnsupported: return ApiError(403, error.message);
    case hearth::ErrorCode::kInvalidArgument:
    case hearth::ErrorCode::kFormat: return ApiError(400, error.message);
    case hearth::ErrorCode::kLimit: return ApiError(413, error.message);
    default: return ApiError(500, error.message);
  }
}

HttpReply status_lines(bool stream, const std::vector<Json>& lines) {
  if (!stream) return json_reply(lines.back());
  HttpReply reply;
  reply.type = kNdjson;
  std::string text;
  for (const Json& line : lines) text += to_text(line) + "\n";
  reply.stream = [text](StreamWriter& out) { out.write(text); };
  return reply;
}

bool WorkLines::tell(const std::string& status, const std::string& digest, uint64_t done, uint64_t total) {
  const auto now = std::chrono::steady_clock::now();
  const bool is_news = status != status_ || digest != digest_;
  if (!is_news && now - last_ < std::chrono::milliseconds(250)) return out_.is_open();
  status_ = status;
  digest_ = digest;
  last_ = now;
  Json line = {{"status", status}};
  if (!digest.empty()) line["digest"] = digest;
  if (total > 0) line["total"] = total;
  if (done > 0) line["completed"] = done;
  return out_.write(to_text(line) + "\n");
}

HttpReply work_reply(Context& context, bool stream, std::function<hearth::Status(const TellWork&)> work) {
  if (!stream) {
    const auto status =
        work([&](const std::string&, const std::string&, uint64_t, uint64_t) { return context.still_there(); });
    if (!status) throw store_error(status.error());
    return json_reply({{"status", "success"}});
  }
  HttpReply reply;
  reply.type = kNdjson;
  reply.stream = [work = std::move(work)](StreamWriter& out) {
    WorkLines lines(out);
    Json last = {{"status", "success"}};
    try {
      const auto status = work([&](const std::string& what, const std::string& digest, uint64_t done, uint64_t total) {
        return lines.tell(what, digest, done, total);
      });
      if (!status) last = {{"error", status.error().message}};
    } catch (const std::exception& error) {
      last = {{"error", error.what()}};
    }
    out.write(to_text(last) + "\n");
  };
  return reply;
}

}  // namespace hearth_server
