// What Ollama's routes that change the store have in common: names, errors, and lines that tell how the work goes.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "../store/name.h"
#include "server.h"

namespace hearth_server {

/// `model`, or `name` as older clients write it; ApiError (400) when it is missing.
std::string model_name_in(const Json& body);
/// ApiError (400): it is none.
hearth_store::ModelName read_model_name(const std::string& text);
/// What the store refuses, as an answer.
ApiError store_error(const hearth::Error& error);

/// Lines of what has been done already; without a stream the last of them.
HttpReply status_lines(bool stream, const std::vector<Json>& lines);

/// How work goes: a line when something changed, and four a second in between.
class WorkLines {
 public:
  explicit WorkLines(StreamWriter& out) : out_(out) {}

  /// False when nobody reads any more.
  bool tell(const std::string& status, const std::string& digest, uint64_t done, uint64_t total);

 private:
  StreamWriter& out_;
  std::string status_, digest_;
  std::chrono::steady_clock::time_point last_{};
};

/// False stops the work.
using TellWork =
    std::function<bool(const std::string& status, const std::string& digest, uint64_t done, uint64_t total)>;
/// Runs `work` while the reply is sent, or, without a stream, before; its error is the last line, or the status.
/// `context` must live until this returns, what `work` holds until the reply is sent.
HttpReply work_reply(Context& context, bool stream, std::function<hearth::Status(const TellWork&)> work);

}  // namespace hearth_server
