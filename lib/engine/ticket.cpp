// Ticket: the reader's end of a request.
#include <algorithm>

#include "lib/base/guard.h"
#include "lib/engine/ticket_impl.h"

namespace hearth {
namespace {

/// Adds an event to the answers; the status of a failed one.
Status add(EngineEvent& event, std::vector<Generation>& answers) {
  Generation& answer = answers[static_cast<size_t>(event.choice)];
  answer.text += event.text;
  if (event.kind == EngineEvent::Kind::kToken) answer.ids.push_back(event.id);
  if (event.kind != EngineEvent::Kind::kDone) return {};
  // The end token is no part of the text.
  if (event.stop_reason == StopReason::kEndToken && !answer.ids.empty()) answer.ids.pop_back();
  answer.stop_reason = event.stop_reason;
  answer.timings = event.timings;
  return event.status;
}

}  // namespace

Ticket::Ticket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ticket::Ticket(Ticket&&) noexcept = default;
Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    if (impl_) cancel();
    impl_ = std::move(other.impl_);
  }
  return *this;
}
Ticket::~Ticket() {
  if (impl_) cancel();
}

std::optional<EngineEvent> Ticket::next() {
  bool waiting = false;
  return impl_->channel->take(-1, waiting);
}

std::optional<EngineEvent> Ticket::next_within(double seconds, bool& waiting) {
  return impl_->channel->take(std::max(seconds, 0.0), waiting);
}

Result<std::vector<Generation>> Ticket::wait() {
  return guard([this]() -> Result<std::vector<Generation>> {
    std::vector<Generation> answers(static_cast<size_t>(impl_->n));
    Status status;
    while (auto event = next()) {
      Status now = add(*event, answers);
      if (status && !now) status = now;
    }
    if (!status) return status.error();
    for (Generation& answer : answers) answer.prompt_ids = impl_->prompt;
    return answers;
  });
}

void Ticket::cancel() {
  impl_->channel->cancelled.store(true);
}

uint64_t Ticket::id() const {
  return impl_->id;
}

}  // namespace hearth
