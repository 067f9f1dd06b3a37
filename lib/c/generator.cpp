// Twin of hearth/generator.h.
#include "lib/c/options.h"

using namespace hearth::c;

static_assert(sizeof(HearthBatchToken) == 16);
static_assert(HEARTH_STOP_REASON_CANCELLED == static_cast<int>(hearth::StopReason::kCancelled));
static_assert(HEARTH_ON_FULL_WINDOW == static_cast<int>(hearth::OnFull::kWindow));

namespace hearth::c {

HearthGeneratedToken to_c(const GeneratedToken& t) {
  return {sizeof(HearthGeneratedToken),       t.id, t.probability, lend(t.text), t.finished,
          static_cast<int32_t>(t.stop_reason)};
}

Result<GenerateOptions> to_cpp(const HearthGenerateOptions* options, const GenerateOptions& if_null) {
  if (options == nullptr) return if_null;
  const auto full = complete(options, hearth_generate_options_init);
  if (!full) return full.error();
  auto sampler = to_cpp(full->sampler);
  if (!sampler) return sampler.error();
  auto stop_texts = texts_of(full->stop_texts, full->n_stop_texts, "stop_texts");
  if (!stop_texts) return stop_texts.error();
  GenerateOptions made;
  if (auto s = set_enum(made.on_full, full->on_full, OnFull::kWindow, "on_full"); !s) return s.error();
  made.max_tokens = full->max_tokens;
  made.sampler = std::move(*sampler);
  if (full->own_sampler != nullptr) made.own_sampler = &full->own_sampler->sampler;
  made.stop_texts = std::move(*stop_texts);
  if (full->grammar != nullptr) made.grammar = full->grammar->grammar;
  made.grammar_after = view(full->grammar_after);
  made.ignore_end = full->ignore_end;
  made.skip_special = full->skip_special;
  made.probabilities = full->probabilities;
  made.keep = full->keep;
  made.continue_cache = full->continue_cache;
  made.reuse_stretches = full->reuse_stretches;
  if (full->speculator != nullptr) made.speculator = &full->speculator->speculator;
  made.add_special = full->add_special;
  made.parse_special = full->parse_special;
  made.on_prompt = progress_of<int32_t, int32_t>(full->on_prompt, full->on_prompt_user);
  if (full->on_token != nullptr) {
    made.on_token = [on_token = full->on_token, user = full->on_token_user](const GeneratedToken& token) {
      const HearthGeneratedToken seen = to_c(token);
      return on_token(user, &seen);
    };
  }
  made.cancel = flag_of(full->cancel);
  return made;
}

}  // namespace hearth::c

extern "C" {

const char* hearth_stop_reason_name(int32_t reason) {
  if (reason < 0 || reason > HEARTH_STOP_REASON_CANCELLED) return "unknown";
  return hearth::stop_reason_name(static_cast<hearth::StopReason>(reason));
}
const char* hearth_on_full_name(int32_t on_full) {
  if (on_full < 0 || on_full > HEARTH_ON_FULL_WINDOW) return "unknown";
  return hearth::on_full_name(static_cast<hearth::OnFull>(on_full));
}

void hearth_generate_options_init(HearthGenerateOptions* options) {
  const hearth::GenerateOptions defaults;
  HearthGenerateOptions full{};
  full.max_tokens = defaults.max_tokens;
  full.ignore_end = defaults.ignore_end;
  full.skip_special = defaults.skip_special;
  full.probabilities = defaults.probabilities;
  full.on_full = static_cast<int32_t>(defaults.on_full);
  full.keep = defaults.keep;
  full.continue_cache = defaults.continue_cache;
  full.reuse_stretches = defaults.reuse_stretches;
  full.add_special = defaults.add_special;
  full.parse_special = defaults.parse_special;
  fill(options, full);
}

HearthCode hearth_generator_create(const HearthModel* model, const int32_t* prompt, size_t n_prompt,
                                   const HearthGenerateOptions* options, HearthGenerator** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}, {prompt, "prompt"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Generator::create(model->model, {prompt, n_prompt}, *how), out);
  });
}
HearthCode hearth_generator_create_for(const HearthTokenizer* tokenizer, int32_t n_logits, const int32_t* prompt,
                                       size_t n_prompt, const HearthGenerateOptions* options, HearthGenerator** out,
                                       HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{tokenizer, "tokenizer"}, {prompt, "prompt"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Generator::create(tokenizer->tokenizer, n_logits, {prompt, n_prompt}, *how), out);
  });
}
void hearth_generator_free(HearthGenerator* generator) {
  delete generator;
}
HearthCode hearth_generator_accept(HearthGenerator* generator, const float* logits, size_t n, HearthGeneratedToken* out,
                                   HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{generator, "generator"}, {logits, "logits"}}); !s) return s;
    const auto token = generator->it->accept({logits, n});
    if (!token) return token.error();
    fill(out, to_c(*token));
    return {};
  });
}
HearthCode hearth_generator_accept_forced(HearthGenerator* generator, bool* taken, HearthGeneratedToken* out,
                                          HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{generator, "generator"}, {taken, "taken"}}); !s) return s;
    const auto token = generator->it->accept_forced();
    if (!token) return token.error();
    *taken = token->has_value();
    if (*taken) fill(out, to_c(**token));
    return {};
  });
}
HearthCode hearth_generator_pending(const HearthGenerator* generator, int32_t seq, HearthBatchToken** out, size_t* n,
                                    HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{generator, "generator"}, {out, "out"}, {n, "n"}}); !s) return s;
    const auto batch = generator->it->pending(seq);
    if (!batch) return batch.error();
    std::vector<HearthBatchToken> tokens;
    tokens.reserve(batch->size());
    for (const hearth::BatchToken& t : *batch) tokens.push_back({t.id, t.pos, t.seq, t.logits});
    return hand_out(std::span<const HearthBatchToken>(tokens), out, n);
  });
}
HearthBatchToken hearth_generator_next(const HearthGenerator* generator, int32_t seq) {
  if (generator == nullptr) return {-1, -1, seq, 0};
  const hearth::BatchToken next = generator->it->next(seq);
  return {next.id, next.pos, next.seq, next.logits};
}
HearthCode hearth_generator_draft(HearthGenerator* generator, const float* logits, size_t n, int32_t* out,
                                  HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{generator, "generator"}, {logits, "logits"}, {out, "out"}}); !s) return s;
    return hand_out_value(generator->it->draft({logits, n}), out);
  });
}
HearthCode hearth_generator_draftable(HearthGenerator* generator, const int32_t* tokens, size_t n, int32_t* out,
                                      HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{generator, "generator"}, {tokens, "tokens"}, {out, "out"}}); !s) return s;
    return hand_out_value(generator->it->draftable({tokens, n}), out);
  });
}
HearthText hearth_generator_finish(HearthGenerator* generator, int32_t reason) {
  hearth::StopReason why{};
  if (generator == nullptr || reason < 0 || reason > HEARTH_STOP_REASON_CANCELLED) return lend({});
  why = static_cast<hearth::StopReason>(reason);
  return lend(generator->it->finish(why));
}
bool hearth_generator_finished(const HearthGenerator* generator) {
  return generator == nullptr || generator->it->finished();
}
int32_t hearth_generator_stop_reason(const HearthGenerator* generator) {
  return generator == nullptr ? -1 : static_cast<int32_t>(generator->it->stop_reason());
}
const int32_t* hearth_generator_prompt(const HearthGenerator* generator, size_t* n) {
  if (n != nullptr) *n = generator == nullptr ? 0 : generator->it->prompt().size();
  return generator == nullptr ? nullptr : generator->it->prompt().data();
}
const int32_t* hearth_generator_ids(const HearthGenerator* generator, size_t* n) {
  if (n != nullptr) *n = generator == nullptr ? 0 : generator->it->ids().size();
  return generator == nullptr ? nullptr : generator->it->ids().data();
}
HearthText hearth_generator_text(const HearthGenerator* generator) {
  return generator == nullptr ? lend({}) : lend(generator->it->text());
}

}  // extern "C"
