// The second half of a step: logits to tokens, tokens to events, ends of answers and requests.
#include <algorithm>

#include "lib/base/guard.h"
#include "lib/engine/alternatives.h"
#include "lib/engine/scheduler.h"

namespace hearth {

void Scheduler::hand_out() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    Request& request = *rows_[i].request;
    const auto logits = session_.logits(i);
    if (request.choices[rows_[i].choice].written_to) {
      accept(request, rows_[i].choice, logits);
    } else {
      end_prompt(request, static_cast<int32_t>(i));
    }
  }
  for (size_t i = 0; i < texts_.size(); ++i) accept_text(*text_rows_[i].request, text_rows_[i].choice, texts_[i]);
  for (const Part& part : parts_) {
    const Request& request = *part.request;
    if (!request.asked.report_prompt) continue;
    EngineEvent event{.kind = EngineEvent::Kind::kPrompt};
    event.prompt_done = request.computed;
    event.prompt_total = static_cast<int32_t>(request.asked.prompt.size());
    send(request, std::move(event));
  }
}

/// The prompt is computed: all answers begin from its logits, in sequences that share its pages.
void Scheduler::end_prompt(Request& request, int32_t row) {
  request.prompt_done = Clock::now();
  const SeqId first = request.choices[0].seq;
  for (size_t i = 1; i < request.choices.size(); ++i) {
    if (Status status = slots_.branch(first, request.choices[i].seq); !status)
      finish(request, i, StopReason::kLength, status);
  }
  for (size_t i = 0; i < request.choices.size(); ++i) {
    const Choice& answer = request.choices[i];
    if (answer.done) continue;
    if (answer.generator.finished()) {
      finish(request, i, answer.generator.stop_reason());  // max_tokens = 0
    } else {
      begin_answer(request, i, row);
    }
  }
}

/// Takes the first token of an answer.
void Scheduler::begin_answer(Request& request, size_t choice, int32_t row) {
  if (!may_draft(request)) return accept(request, choice, session_.logits(static_cast<size_t>(row)));
  Choice& answer = request.choices[choice];
  SpeculativeText text{.seq = answer.seq, .generator = &answer.generator, .first_row = row};
  if (Status status = speculator_->begin(text); !status) return finish(request, choice, StopReason::kLength, status);
  accept_text(request, choice, text);
}

void Scheduler::accept(Request& request, size_t choice, std::span<const float> logits) {
  Choice& answer = request.choices[choice];
  const Result<GeneratedToken> token = answer.generator.accept(logits);
  if (!token) return finish(request, choice, StopReason::kLength, token.error());
  send_token(request, choice, *token, most_probable(logits, request.asked.n_alternatives));
  answer.written_to = !token->finished;
  if (token->finished) finish(request, choice, token->stop_reason);
}

/// The same for an answer with drafts: as many tokens as were guessed right, and one more.
void Scheduler::accept_text(Request& request, size_t choice, SpeculativeText& text) {
  Choice& answer = request.choices[choice];
  const Status status = speculator_->accept(session_, text, [&](const GeneratedToken& token) {
    send_token(request, choice, token, {});
    return true;
  });
  answer.drafted += text.drafted;
  answer.accepted += text.accepted;
  if (!status) return finish(request, choice, StopReason::kLength, status);
  slots_.settle(answer.seq, false);
  answer.written_to = !answer.generator.finished();
  if (!answer.written_to) finish(request, choice, answer.generator.stop_reason());
}

void Scheduler::send_token(Request& request, size_t choice, const GeneratedToken& token,
                           std::vector<TokenAlternative> alternatives) {
  if (request.first_token == 0) request.first_token = seconds_since(request.begun);
  ++stats_.generated_tokens;
  EngineEvent event{.kind = EngineEvent::Kind::kToken, .choice = static_cast<int32_t>(choice)};
  event.id = token.id;
  event.probability = token.probability;
  event.text = token.text;
  event.alternatives = std::move(alternatives);
  send(request, std::move(event));
}

void Scheduler::finish(Request& request, size_t choice, StopReason reason, const Status& status) {
  Choice& answer = request.choices[choice];
  if (answer.done) return;
  answer.done = true;
  answer.written_to = false;
  EngineEvent event{.kind = EngineEvent::Kind::kDone, .choice = static_cast<int32_t>(choice)};
  if (status) {
    const bool open = !answer.generator.finished();
    if (open) event.text = answer.generator.finish(reason);
    event.stop_reason = open ? reason : answer.generator.stop_reason();
  }
  event.status = status;
  event.cached_tokens = request.cached;
  event.drafted_tokens = answer.drafted;
  event.accepted_tokens = answer.accepted;
  event.seq = answer.seq;
  const bool begun = request.begun != Clock::time_point{};
  const auto between = [](Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
  };
  event.queued_seconds = between(request.submitted, begun ? request.begun : Clock::now());
  event.timings.prompt_tokens = static_cast<int32_t>(request.asked.prompt.size());
  event.timings.generated_tokens = static_cast<int32_t>(answer.generator.ids().size());
  if (request.prompt_done != Clock::time_point{}) {
    event.timings.prompt_seconds = between(request.begun, request.prompt_done);
    event.timings.first_token_seconds = request.first_token;
    event.timings.generate_seconds = seconds_since(request.prompt_done);
  }
  send(request, std::move(event));
  if (answer.seq >= 0) slots_.release(answer.seq);
  answer.seq = -1;
  if (choice == 0) count(reason, status);
}

void Scheduler::count(StopReason reason, const Status& status) {
  if (!status) {
    ++stats_.failed;
  } else if (reason == StopReason::kCancelled) {
    ++stats_.cancelled;
  } else {
    ++stats_.finished;
  }
}

void Scheduler::finish_all(Request& request, StopReason reason, const Status& status) {
  for (size_t i = 0; i < request.choices.size(); ++i) finish(request, i, reason, status);
}

void Scheduler::send(const Request& request, EngineEvent event) {
  outbox_.push_back({request.channel, std::move(event)});
}

void Scheduler::deliver() {
  for (Letter& letter : outbox_) {
    if (!letter.event) {
      letter.channel->close();
      continue;
    }
    const Status pushed = guard([&]() -> Status { return letter.channel->push(std::move(*letter.event)), Status(); });
    if (pushed) continue;
    letter.channel->fail();
    letter.channel->cancelled.store(true);
  }
  outbox_.clear();
}

void Scheduler::drop_all() noexcept {
  for (auto* list : {&waiting_, &active_}) {
    for (const auto& request : *list) {
      give_back(*request);
      request->channel->fail();
    }
    list->clear();
  }
  outbox_.clear();
}

/// Lets go of requests that have ended.
void Scheduler::sweep() {
  for (auto* list : {&waiting_, &active_}) {
    std::erase_if(*list, [this](const auto& request) {
      const bool ended =
          std::all_of(request->choices.begin(), request->choices.end(), [](const Choice& c) { return c.done; });
      if (ended) outbox_.push_back({request->channel, std::nullopt});
      return ended;
    });
  }
}

void Scheduler::end_all(StopReason reason) {
  for (auto* list : {&waiting_, &active_})
    for (const auto& request : *list) finish_all(*request, reason);
  sweep();
}

void Scheduler::fail_all(const Error& error) {
  for (auto* list : {&waiting_, &active_})
    for (const auto& request : *list) finish_all(*request, StopReason::kLength, error);
  sweep();
}

EngineStats Scheduler::stats() const {
  EngineStats stats = stats_;
  stats.active = static_cast<int32_t>(active_.size());
  stats.waiting = static_cast<int32_t>(waiting_.size());
  stats.cache = session_.cache().stats();
  if (speculator_) stats.drafts = speculator_->stats();
  return stats;
}

}  // namespace hearth
