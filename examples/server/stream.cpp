// Streams: the events of an answer, sent as they come.
#include <chrono>

#include "answering.h"

namespace hearth_server {
namespace {

/// Sends all that comes, until the end or until nobody reads.
void pump(Answering& answering, AnswerWriter& writer, StreamWriter& out) {
  using Clock = std::chrono::steady_clock;
  auto last = Clock::now();
  const auto send = [&](const std::string& text) {
    if (!text.empty()) last = Clock::now();
    return out.write(text);
  };
  if (!send(writer.begin())) return;
  try {
    for (;;) {
      bool waiting = false;
      auto event = answering.next(0.1, waiting);
      if (!out.is_open()) return;
      if (event) {
        if (!send(writer.event(*event))) return;
      } else if (!waiting) {
        break;
      } else if (Clock::now() - last > std::chrono::seconds(15)) {
        if (!send(writer.idle())) return;
        last = Clock::now();
      }
    }
    send(writer.end());
  } catch (const ApiError& error) {
    send(writer.failure(error));
  } catch (const std::exception&) {
    send(writer.failure(ApiError(500, "the answer could not be written")));
  }
}

}  // namespace

HttpReply stream_reply(std::shared_ptr<Answering> answering, std::shared_ptr<AnswerWriter> writer, const char* type) {
  HttpReply reply;
  reply.type = type;
  reply.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
  reply.stream = [answering = std::move(answering), writer = std::move(writer)](StreamWriter& out) {
    pump(*answering, *writer, out);
  };
  return reply;
}

std::string sse(const Json& data, const char* name) {
  std::string text = name != nullptr ? "event: " + std::string(name) + "\n" : std::string();
  return text + "data: " + to_text(data) + "\n\n";
}

}  // namespace hearth_server
