// Answers: from the engine's events to the server's.
#include "answering.h"

#include <algorithm>
#include <cmath>

namespace hearth_server {

using hearth::EngineEvent;
using hearth::StopReason;
using hearth::Token;

/// One answer being written.
struct Answering::Choice {
  std::unique_ptr<AnswerParser> parser;
  std::string written;  ///< what the tokens spell, stop texts included
  size_t n_sent = 0;    ///< bytes of text that came out
  struct Held {
    TokenChance chance;
    size_t begin;  ///< where it begins in `written`
  };
  std::deque<Held> held;   ///< chances of tokens whose text is held back
  std::vector<Token> ids;  ///< not sent yet
  int32_t n_calls = 0;
  int32_t n_ids = 0;
  bool saw_end = false;
};

namespace {

TokenChance chance_of(const hearth::Tokenizer& tokenizer, Token id, double logprob) {
  return {id, std::string(tokenizer.piece(id)), std::isfinite(logprob) ? std::min(logprob, 0.0) : -9999.0, {}};
}

/// Biases of texts become those of their tokens.
void resolve_biases(const LoadedModel& model, Ask& ask) {
  for (const auto& [text, bias] : ask.text_bias) {
    const auto ids = model.model.tokenizer().encode(text, {.parse_special = true});
    if (!ids) throw api_error(ids.error());
    for (const Token id : *ids) ask.generate.sampler.logit_bias.emplace_back(id, bias);
  }
}

}  // namespace

std::vector<hearth::AdapterScale> chosen_adapters(AdapterList& list, const Ask& ask) {
  std::vector<hearth::AdapterScale> chosen;
  if (!ask.adapters) {
    const std::lock_guard lock(list.mutex);
    for (const auto& entry : list.entries) chosen.push_back({entry.adapter, entry.scale});
  }
  for (const auto& [id, scale] : ask.adapters.value_or(std::vector<std::pair<int64_t, float>>())) {
    if (id < 0 || id >= static_cast<int64_t>(list.entries.size())) {
      throw ApiError(400, "there is no adapter " + std::to_string(id), "", "lora");
    }
    chosen.push_back({list.entries[static_cast<size_t>(id)].adapter, scale});
  }
  std::erase_if(chosen, [](const hearth::AdapterScale& one) { return one.scale == 0; });
  return chosen;
}

Answering::Answering(Lease lease, Ask ask, Metrics* metrics, std::shared_ptr<LogNotes> notes)
    : lease_(std::move(lease)), ask_(std::move(ask)), metrics_(metrics), notes_(std::move(notes)) {
  check();
  use_tools(*lease_, ask_);
  apply_format(*lease_, ask_);
  resolve_biases(*lease_, ask_);
  encode();
  if (!ask_.count_only) submit();
}

/// What this model cannot do.
void Answering::check() const {
  if (!lease_->model.info().causal || !lease_->model.info().has_logits) {
    throw ApiError(400, "'" + lease_.entry.short_name() + "' makes vectors of texts and writes none");
  }
}

Answering::~Answering() = default;

double Answering::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

int32_t Answering::n_prompt_tokens() const {
  int32_t n = 0;
  for (const auto& prompt : prompts_) n += static_cast<int32_t>(prompt.size());
  return n;
}

void Answering::encode() {
  if (ask_.is_chat) {
    encode_chat();
  } else {
    for (const Prompt& prompt : ask_.prompts) prompts_.push_back(encode_prompt(*lease_, prompt, true));
  }
  for (const auto& prompt : prompts_) {
    const auto n = static_cast<int32_t>(std::min<size_t>(prompt.size(), INT32_MAX));
    if (n < lease_->n_ctx || ask_.count_only) continue;
    throw ApiError(400,
                   "the prompt has " + std::to_string(n) + " tokens, but the context holds " +
                       std::to_string(lease_->n_ctx) + " and an answer needs room in it (see -c)",
                   "context_length_exceeded");
  }
}

/// The conversation; if asked so, without its oldest turns when it is too long.
void Answering::encode_chat() {
  for (;;) {
    auto ids = hearth::ChatTemplate::encode(render_chat(ask_), lease_->model.tokenizer());
    if (!ids) throw api_error(ids.error());
    auto& messages = ask_.messages;
    const auto is_system = [](const hearth::ChatMessage& m) { return m.role == "system"; };
    const auto oldest = std::find_if_not(messages.begin(), messages.end(), is_system);
    const bool fits = static_cast<int64_t>(ids->size()) < lease_->n_ctx;
    if (fits || !ask_.drop_oldest || messages.end() - oldest <= 1) {
      prompts_.push_back(std::move(*ids));
      return;
    }
    auto next = std::find_if(oldest + 1, messages.end(), [](const auto& m) { return m.role == "user"; });
    if (next == messages.end()) next = messages.end() - 1;
    messages.erase(oldest, next);
  }
}

hearth::EngineRequest Answering::request_for(const std::vector<Token>& prompt) const {
  hearth::EngineRequest request;
  request.prompt = prompt;
  request.generate = ask_.generate;
  const int32_t room = lease_->n_ctx - static_cast<int32_t>(prompt.size());
  int32_t& most = request.generate.max_tokens;
  if (most < 0 || most > room) most = room;
  // Markers of calls and of reasoning are control tokens in some vocabularies.
  request.generate.skip_special = !ask_.is_chat || (ask_.tools_json.empty() && !lease_->facts.can_think);
  request.generate.probabilities = ask_.n_top >= 0;
  request.n_alternatives = std::max(ask_.n_top, 0);
  request.n = ask_.n;
  request.reuse_prefix = ask_.reuse_prefix;
  request.generate.reuse_stretches = ask_.reuse_stretches.value_or(lease_->reuse_stretches);
  request.report_prompt = ask_.report_prompt;
  request.seq = ask_.seq;
  if (!lease_->adapters->entries.empty()) request.adapters = chosen_adapters(*lease_->adapters, ask_);
  return request;
}

void Answering::submit() {
  const int32_t n_seqs = lease_->engine.options().session.n_seqs;
  if (ask_.n < 1 || ask_.n > n_seqs) {
    throw ApiError(400, "n must be between 1 and " + std::to_string(n_seqs) + " (see --parallel)", "", "n");
  }
  if (ask_.seq >= n_seqs) throw ApiError(400, "there is no slot " + std::to_string(ask_.seq), "", "id_slot");
  for (const auto& prompt : prompts_) {
    // How the prompt ends tells whether reasoning has begun in it.
    const std::span<const Token> last = std::span(prompt).last(std::min<size_t>(prompt.size(), 16));
    const auto tail = lease_->model.tokenizer().decode(last);
    auto ticket = lease_->engine.submit(request_for(prompt));
    if (!ticket) throw api_error(ticket.error());
    tickets_.push_back(std::move(*ticket));
    for (int32_t i = 0; i < ask_.n; ++i) choices_.emplace_back().parser = make_parser(*lease_, ask_, tail ? *tail : "");
  }
}

std::optional<AnswerEvent> Answering::next(double seconds, bool& waiting) {
  waiting = false;
  while (ready_.empty() && current_ < tickets_.size()) {
    auto event = tickets_[current_].next_within(seconds, waiting);
    if (waiting) return std::nullopt;
    if (event) {
      take(*event);
    } else {
      ++current_;
    }
  }
  if (ready_.empty()) return std::nullopt;
  AnswerEvent event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

void Answering::take(const EngineEvent& event) {
  if (event.kind == EngineEvent::Kind::kPrompt) {
    AnswerEvent out{.kind = AnswerEvent::Kind::kPrompt};
    out.prompt_done = event.prompt_done;
    out.prompt_total = event.prompt_total;
    ready_.push_back(std::move(out));
    return;
  }
  const size_t index = current_ * static_cast<size_t>(ask_.n) + static_cast<size_t>(event.choice);
  Choice& choice = choices_[index];
  const size_t first = ready_.size();
  if (event.kind == EngineEvent::Kind::kToken) {
    take_token(choice, event);
  } else {
    take_end(choice, event);
  }
  for (size_t i = first; i < ready_.size(); ++i) ready_[i].choice = static_cast<int32_t>(index);
}

void Answering::take_token(Choice& choice, const EngineEvent& event) {
  const hearth::Tokenizer& tokenizer = lease_->model.tokenizer();
  ++choice.n_ids;
  if (metrics_ != nullptr) {
    const double now = seconds();
    last_token_ ? metrics_->next_token(now - *last_token_) : metrics_->first_token(now);
    last_token_ = now;
  }
  const bool is_end = tokenizer.is_end(event.id) && !ask_.generate.ignore_end;
  choice.saw_end = choice.saw_end || is_end;
  if (!is_end) choice.ids.push_back(event.id);
  if (ask_.n_top >= 0 && !is_end) {
    TokenChance chance = chance_of(tokenizer, event.id, std::log(static_cast<double>(event.probability)));
    for (const auto& other : event.alternatives) chance.top.push_back(chance_of(tokenizer, other.id, other.logprob));
    choice.held.push_back({std::move(chance), choice.written.size()});
  }
  if (!is_end && !tokenizer.is_control(event.id)) choice.written += tokenizer.piece(event.id);
  choice.n_sent += event.text.size();
  for (AnswerEvent& out : choice.parser->push(event.text)) {
    if (out.kind == AnswerEvent::Kind::kCall) ++choice.n_calls;
    ready_.push_back(std::move(out));
    flush_chances(choice, ready_.back());
  }
}

/// Gives an event the chances of those tokens whose text has begun to come out.
void Answering::flush_chances(Choice& choice, AnswerEvent& out) {
  while (!choice.held.empty() && choice.held.front().begin < choice.n_sent) {
    out.chances.push_back(std::move(choice.held.front().chance));
    choice.held.pop_front();
  }
  out.ids.insert(out.ids.end(), choice.ids.begin(), choice.ids.end());
  choice.ids.clear();
}

void Answering::take_end(Choice& choice, const EngineEvent& event) {
  if (!event.status) throw api_error(event.status.error());
  // Where a grammar leaves nothing but the end, none is sampled; it counts all the same.
  if (event.stop_reason == StopReason::kEndToken && !choice.saw_end) ++choice.n_ids;
  choice.n_sent += event.text.size();
  auto events = choice.parser->push(event.text);
  for (AnswerEvent& out : choice.parser->finish()) events.push_back(std::move(out));
  for (AnswerEvent& out : events) {
    if (out.kind == AnswerEvent::Kind::kCall) ++choice.n_calls;
    ready_.push_back(std::move(out));
    flush_chances(choice, ready_.back());
  }
  AnswerEvent out{.kind = AnswerEvent::Kind::kEnd};
  flush_chances(choice, out);
  out.end.reason = event.stop_reason;
  size_t first = std::string::npos;
  for (const std::string& stop : ask_.generate.stop_texts) {
    const size_t at = choice.written.find(stop);
    if (event.stop_reason == StopReason::kStopText && at < first) first = at, out.end.stop_text = stop;
  }
  out.end.called_tools = choice.n_calls > 0;
  out.end.prompt_tokens = event.timings.prompt_tokens;
  out.end.cached_tokens = event.cached_tokens;
  out.end.generated_tokens = choice.n_ids;
  out.end.timings = event.timings;
  out.end.queued_seconds = event.queued_seconds;
  out.end.drafted_tokens = event.drafted_tokens;
  out.end.accepted_tokens = event.accepted_tokens;
  out.end.seq = event.seq;
  if (event.choice == 0) {
    usage_.prompt_tokens += out.end.prompt_tokens;
    usage_.cached_tokens += out.end.cached_tokens;
  }
  usage_.generated_tokens += out.end.generated_tokens;
  last_end_ = out.end;
  note();
  ready_.push_back(std::move(out));
}

/// What the answers that have ended took, for the log.
void Answering::note() const {
  if (metrics_ != nullptr) metrics_->queued(last_end_.queued_seconds);
  if (!notes_) return;
  const double took = last_end_.timings.generate_seconds;
  const double rate = took > 0 ? last_end_.timings.generated_tokens / took : 0;
  *notes_ = {{"model", to_text(lease_.entry.short_name())},
             {"prompt_tokens", std::to_string(usage_.prompt_tokens)},
             {"cached_tokens", std::to_string(usage_.cached_tokens)},
             {"tokens", std::to_string(usage_.generated_tokens)},
             {"tokens_per_second", to_text(std::round(rate * 10) / 10)}};
}

std::optional<std::vector<AnswerChoice>> Answering::collect(const StillThere& still_there) {
  std::vector<AnswerChoice> choices(choices_.size());
  for (;;) {
    bool waiting = false;
    auto event = next(0.1, waiting);
    if (!still_there()) return std::nullopt;
    if (waiting) continue;
    if (!event) return choices;
    AnswerChoice& choice = choices[static_cast<size_t>(event->choice)];
    const auto append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(choice.chances, event->chances);
    append(choice.ids, event->ids);
    switch (event->kind) {
      case AnswerEvent::Kind::kPrompt: break;
      case AnswerEvent::Kind::kText: choice.text += event->text; break;
      case AnswerEvent::Kind::kReasoning: choice.reasoning += event->text; break;
      case AnswerEvent::Kind::kCall: choice.calls.push_back({event->call_id, event->call_name, ""}); break;
      case AnswerEvent::Kind::kArguments: choice.calls.back().arguments_json += event->text; break;
      case AnswerEvent::Kind::kEnd: choice.end = event->end; break;
    }
  }
}

Usage usage_of(const std::vector<AnswerChoice>& choices, int32_t n) {
  Usage usage;
  for (size_t i = 0; i < choices.size(); ++i) {
    usage.generated_tokens += choices[i].end.generated_tokens;
    if (i % static_cast<size_t>(n) != 0) continue;
    usage.prompt_tokens += choices[i].end.prompt_tokens;
    usage.cached_tokens += choices[i].end.cached_tokens;
  }
  return usage;
}

}  // namespace hearth_server
