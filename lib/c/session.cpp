// Twin of hearth/session.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

template <typename Body>
HearthCode with_session(HearthSession* session, HearthError* error, const Body& body) {
  return call(error, [&]() -> Status {
    if (auto s = needs({{session, "session"}}); !s) return s;
    return body(session->session);
  });
}

const float* hand_out_row(std::span<const float> row, size_t* n) {
  if (n != nullptr) *n = row.size();
  return row.empty() ? nullptr : row.data();
}

/// Session::generate for any kind of prompt.
template <typename Prompt>
Status generate(HearthSession* session, const Prompt& prompt, const HearthGenerateOptions* options,
                HearthTextCallback on_text, void* user, HearthGeneration** out) {
  if (auto s = needs({{session, "session"}}); !s) return s;
  const auto how = to_cpp(options);
  if (!how) return how.error();
  auto handle = std::make_unique<HearthGeneration>();
  auto made = session->session.generate(prompt, *how, to_cpp(on_text, user));
  if (!made) return made.error();
  handle->made = std::move(*made);
  if (out != nullptr) *out = handle.release();
  return {};
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_generation_free(HearthGeneration* generation) {
  delete generation;
}
const int32_t* hearth_generation_prompt_ids(const HearthGeneration* generation, size_t* n) {
  if (n != nullptr) *n = generation == nullptr ? 0 : generation->made.prompt_ids.size();
  return generation == nullptr ? nullptr : generation->made.prompt_ids.data();
}
const int32_t* hearth_generation_ids(const HearthGeneration* generation, size_t* n) {
  if (n != nullptr) *n = generation == nullptr ? 0 : generation->made.ids.size();
  return generation == nullptr ? nullptr : generation->made.ids.data();
}
HearthText hearth_generation_text(const HearthGeneration* generation) {
  return generation == nullptr ? lend({}) : lend(generation->made.text);
}
int32_t hearth_generation_stop_reason(const HearthGeneration* generation) {
  return generation == nullptr ? -1 : static_cast<int32_t>(generation->made.stop_reason);
}
void hearth_generation_timings(const HearthGeneration* generation, HearthTimings* out) {
  if (generation != nullptr) fill(out, to_c(generation->made.timings));
}

HearthCode hearth_session_create(const HearthModel* model, const HearthSessionOptions* options, HearthSession** out,
                                 HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Session::create(model->model, *how), out);
  });
}
void hearth_session_free(HearthSession* session) {
  delete session;
}
HearthCode hearth_session_decode(HearthSession* session, const HearthBatchToken* batch, size_t n,
                                 const HearthCancel* cancel, HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    if (n > 0) {
      if (auto missing = needs({{batch, "batch"}}); !missing) return missing;
    }
    std::vector<hearth::BatchToken> tokens;
    tokens.reserve(n);
    for (size_t i = 0; i < n; ++i) tokens.push_back({batch[i].id, batch[i].pos, batch[i].seq, batch[i].logits != 0});
    return s.decode(tokens, flag_of(cancel));
  });
}
HearthCode hearth_session_prefill(HearthSession* session, const int32_t* tokens, size_t n,
                                  const HearthPrefillOptions* options, HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    const auto full = complete(options, hearth_prefill_options_init);
    if (!full) return full.error();
    hearth::PrefillOptions how;
    how.seq = full->seq;
    how.all_logits = full->all_logits;
    how.skip_held = full->skip_held;
    how.on_progress = progress_of<int32_t, int32_t>(full->on_progress, full->on_progress_user);
    how.cancel = flag_of(full->cancel);
    if (auto missing = needs({{tokens, "tokens"}}); !missing) return missing;
    return s.prefill({tokens, n}, how);
  });
}
HearthCode hearth_session_reuse(HearthSession* session, int32_t seq, const int32_t* tokens, size_t n, int32_t* n_reused,
                                HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    if (auto missing = needs({{tokens, "tokens"}, {n_reused, "n_reused"}}); !missing) return missing;
    return hand_out_value(s.reuse(seq, {tokens, n}), n_reused);
  });
}
HearthCode hearth_session_reuse_changed(HearthSession* session, int32_t seq, const int32_t* tokens, size_t n,
                                        int32_t min_stretch, int32_t* n_held, HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    if (auto missing = needs({{tokens, "tokens"}, {n_held, "n_held"}}); !missing) return missing;
    return hand_out_value(s.reuse_changed(seq, {tokens, n}, min_stretch), n_held);
  });
}
const float* hearth_session_logits(const HearthSession* session, size_t i, size_t* n) {
  return hand_out_row(session == nullptr ? std::span<const float>() : session->session.logits(i), n);
}
size_t hearth_session_n_logits(const HearthSession* session) {
  return session == nullptr ? 0 : session->session.n_logits();
}
const float* hearth_session_hidden(const HearthSession* session, size_t i, size_t* n) {
  return hand_out_row(session == nullptr ? std::span<const float>() : session->session.hidden(i), n);
}

HearthCode hearth_session_generate(HearthSession* session, const char* prompt, size_t prompt_size,
                                   const HearthGenerateOptions* options, HearthTextCallback on_text, void* user,
                                   HearthGeneration** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{prompt, "prompt"}}); !s) return s;
    return generate(session, view(prompt, prompt_size), options, on_text, user, out);
  });
}
HearthCode hearth_session_generate_prompt(HearthSession* session, const HearthChatPrompt* prompt,
                                          const HearthGenerateOptions* options, HearthTextCallback on_text, void* user,
                                          HearthGeneration** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{prompt, "prompt"}}); !s) return s;
    return generate(session, prompt->prompt, options, on_text, user, out);
  });
}
HearthCode hearth_session_generate_tokens(HearthSession* session, const int32_t* prompt, size_t n_prompt,
                                          const HearthGenerateOptions* options, HearthTextCallback on_text, void* user,
                                          HearthGeneration** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{prompt, "prompt"}}); !s) return s;
    return generate(session, std::span<const hearth::Token>(prompt, n_prompt), options, on_text, user, out);
  });
}

HearthCode hearth_session_set_adapters(HearthSession* session, int32_t seq, const HearthAdapterScale* adapters,
                                       size_t n, HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    const auto all = to_cpp(adapters, n);
    if (!all) return all.error();
    return s.set_adapters(seq, std::span<const hearth::AdapterScale>(*all));
  });
}
HearthCode hearth_session_set_adapters_of_all(HearthSession* session, const HearthAdapterScale* adapters, size_t n,
                                              HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    const auto all = to_cpp(adapters, n);
    if (!all) return all.error();
    return s.set_adapters(*all);
  });
}
HearthCode hearth_session_adapters(const HearthSession* session, int32_t seq, size_t i, HearthAdapter** adapter,
                                   float* scale, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{session, "session"}, {adapter, "adapter"}}); !s) return s;
    return hand_out_adapter(session->session.adapters(seq), i, adapter, scale);
  });
}
uint64_t hearth_session_adapter_key(const HearthSession* session, int32_t seq, int32_t pos) {
  return session == nullptr ? 0 : session->session.adapter_key(seq, pos);
}

HearthCode hearth_session_shift(HearthSession* session, int32_t seq, int32_t p0, int32_t p1, int32_t delta,
                                HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) { return s.shift(seq, p0, p1, delta); });
}
HearthCode hearth_session_make_room(HearthSession* session, int32_t seq, int32_t on_full, int32_t keep,
                                    int32_t* n_forgotten, HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    hearth::OnFull how{};
    if (auto bad = set_enum(how, on_full, hearth::OnFull::kWindow, "on_full"); !bad) return bad;
    const auto n = s.make_room(seq, how, keep);
    if (!n) return n.error();
    if (n_forgotten != nullptr) *n_forgotten = *n;
    return {};
  });
}

HearthCode hearth_session_save(const HearthSession* session, int32_t seq, void** bytes, size_t* n, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{session, "session"}, {bytes, "bytes"}, {n, "n"}}); !s) return s;
    const auto made = session->session.save(seq);
    if (!made) return made.error();
    *bytes = copy_of(std::span<const std::byte>(*made)).release();
    *n = made->size();
    return {};
  });
}
HearthCode hearth_session_save_file(const HearthSession* session, int32_t seq, const char* path, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{session, "session"}, {path, "path"}}); !s) return s;
    return session->session.save(seq, path);
  });
}
HearthCode hearth_session_restore(HearthSession* session, int32_t seq, const void* bytes, size_t n,
                                  HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    if (auto missing = needs({{bytes, "bytes"}}); !missing) return missing;
    return s.restore(seq, std::span<const std::byte>(static_cast<const std::byte*>(bytes), n));
  });
}
HearthCode hearth_session_restore_file(HearthSession* session, int32_t seq, const char* path, HearthError* error) {
  return with_session(session, error, [&](hearth::Session& s) -> hearth::Status {
    if (auto missing = needs({{path, "path"}}); !missing) return missing;
    return s.restore(seq, std::string(path));
  });
}

HearthKVCache* hearth_session_cache(HearthSession* session) {
  return session == nullptr ? nullptr : &session->cache;
}
const HearthModel* hearth_session_model(const HearthSession* session) {
  return session == nullptr ? nullptr : &session->model;
}
void hearth_session_options(const HearthSession* session, HearthSessionOptions* out) {
  if (session != nullptr) fill(out, to_c(session->session.options()));
}
void hearth_session_plan(const HearthSession* session, HearthMemoryPlan* out) {
  if (session != nullptr) fill(out, to_c(session->session.plan()));
}
HearthText hearth_session_warning(const HearthSession* session) {
  return session == nullptr ? lend({}) : lend(session->session.warning());
}

}  // extern "C"
