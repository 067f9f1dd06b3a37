// hearth as a WebAssembly module: what a page calls, and the one function of the page that it calls back. Texts are
// UTF-8 in the module's memory; a file lies there once, where the page has put it, and the model is those bytes.
#include <hearth/hearth.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

/// A piece of text has come; return 0 to stop.
extern "C" __attribute__((import_module("page"), import_name("on_text"))) int page_on_text(const char* text,
                                                                                           size_t size);

namespace {

std::string error_text;
std::optional<hearth::Model> model;
std::optional<hearth::Session> session;
std::optional<hearth::Chat> chat;
hearth::Timings timings;

int fail(const hearth::Error& error) {
  error_text = hearth::to_string(error);
  return 0;
}

bool show(std::string_view text) {
  return page_on_text(text.data(), text.size()) != 0;
}

}  // namespace

/// Memory for the page to write to: 0 when there is none. Aligned for a model.
EXPORT("allocate") void* allocate(size_t bytes) {
  return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
}
EXPORT("release") void release(void* memory) {
  std::free(memory);
}

/// 0: see error(). The bytes belong to the model until the next open().
EXPORT("open") int open_model(const void* bytes, size_t size, int n_ctx) {
  chat.reset();
  session.reset();
  model.reset();
  auto opened = hearth::Model::from_memory({static_cast<const std::byte*>(bytes), size});
  if (!opened) return fail(opened.error());
  auto made = hearth::Session::create(*opened, {.n_ctx = n_ctx, .n_threads = 1});
  if (!made) return fail(made.error());
  model = std::move(*opened);
  session = std::move(*made);
  return 1;
}

/// Continues a text. 0: see error().
EXPORT("generate") int generate(const char* prompt, size_t size, int max_tokens, float temperature) {
  if (!session) return fail({hearth::ErrorCode::kInvalidArgument, "no model is open"});
  hearth::GenerateOptions options{.max_tokens = max_tokens};
  options.sampler.temperature = temperature;
  options.sampler.greedy = temperature <= 0;
  const auto made = session->generate(std::string_view(prompt, size), options, show);
  if (!made) return fail(made.error());
  timings = made->timings;
  return 1;
}

/// Answers in a conversation, which begins anew with `fresh`. 0: see error().
EXPORT("say") int say(const char* text, size_t size, int fresh, float temperature) {
  if (!session) return fail({hearth::ErrorCode::kInvalidArgument, "no model is open"});
  if (fresh != 0 || !chat) {
    chat.reset();
    hearth::ChatSettings settings;
    settings.when_full = hearth::ContextFullPolicy::kDropOldest;
    settings.generate.sampler.temperature = temperature;
    settings.generate.sampler.greedy = temperature <= 0;
    auto made = hearth::Chat::create(*session, settings);
    if (!made) return fail(made.error());
    chat = std::move(*made);
  }
  const auto answer = chat->say(std::string_view(text, size), show);
  if (!answer) return fail(answer.error());
  timings = answer->timings;
  return 1;
}

EXPORT("error") const char* error() {
  return error_text.c_str();
}
/// Of the last text: tokens of the prompt and written, and the seconds that they took.
EXPORT("prompt_tokens") int prompt_tokens() {
  return timings.prompt_tokens;
}
EXPORT("generated_tokens") int generated_tokens() {
  return timings.generated_tokens;
}
EXPORT("prompt_seconds") double prompt_seconds() {
  return timings.prompt_seconds;
}
EXPORT("generate_seconds") double generate_seconds() {
  return timings.generate_seconds;
}
EXPORT("describe") const char* describe() {
  static std::string text;
  if (!model) return "";
  const hearth::ModelInfo& info = model->info();
  text = info.name + ", " + std::to_string(info.n_parameters / 100000) + "e5 parameters, " + info.quantization;
  return text.c_str();
}

/// Checks of the kernels that failed; their names are in error().
EXPORT("self_test") int self_test() {
  int failed = 0;
  error_text.clear();
  const auto checks = hearth::self_test();
  for (const hearth::KernelCheck& check : checks) {
    if (check.passed) continue;
    ++failed;
    error_text += check.isa + " " + check.name + ": " + check.detail + "\n";
  }
  return checks.empty() ? -1 : failed;
}
EXPORT("active_isa") const char* active_isa() {
  return hearth::active_isa();
}

namespace {

std::optional<hearth::Embedder> embedder;

}  // namespace

/// The cosine of the angle between two texts; below -1: see error().
EXPORT("similarity") float similarity(const char* a, size_t a_size, const char* b, size_t b_size) {
  if (!model) return fail({hearth::ErrorCode::kInvalidArgument, "no model is open"}), -2.0f;
  embedder.reset();
  auto made = hearth::Embedder::create(*model);
  if (!made) return fail(made.error()), -2.0f;
  embedder = std::move(*made);
  const auto vectors = embedder->embed({std::string(a, a_size), std::string(b, b_size)});
  if (!vectors) return fail(vectors.error()), -2.0f;
  return hearth::cosine_similarity((*vectors)[0].values, (*vectors)[1].values);
}

/// The logits [n, n_vocab] behind each of some tokens, exact keys and values, for comparisons. 0: see error().
EXPORT("score") int score(const int32_t* ids, int n, int n_ctx, float* out) {
  if (!model) return fail({hearth::ErrorCode::kInvalidArgument, "no model is open"});
  const auto f32 = hearth::KVType::kF32;
  auto made =
      hearth::Session::create(*model, {.n_ctx = n_ctx, .n_logits = n, .k_type = f32, .v_type = f32, .n_threads = 1});
  if (!made) return fail(made.error());
  std::vector<hearth::BatchToken> batch;
  for (int i = 0; i < n; ++i) batch.push_back({.id = ids[i], .pos = i, .seq = 0, .logits = true});
  const hearth::Status done = made->decode(batch);
  if (!done) return fail(done.error());
  for (int i = 0; i < n; ++i) {
    const auto row = made->logits(static_cast<size_t>(i));
    out = std::copy(row.begin(), row.end(), out);
  }
  return 1;
}
EXPORT("n_vocab") int n_vocab() {
  return model ? model->info().n_vocab : 0;
}
