// hearth run: continues a text.
#include <cstdio>
#include <memory>
#include <optional>

#include "commands.h"
#include "draft_settings.h"
#include "grammar_settings.h"
#include "json_output.h"
#include "line_input.h"
#include "model_options.h"

namespace hearth_tool {
namespace {

using hearth::Generation;

struct RunOptions {
  ModelSettings model;
  std::string prompt, file, text;
  int32_t max_tokens = 128;
  bool ignore_eos = false, json = false, special = false, no_bos = false, echo = false, quiet = false;
  std::vector<std::string> stop;
  SessionSettings session;
  CacheSettings cache;
  SamplingSettings sampling;
  GrammarSettings grammar;
  DraftSettings drafts;
  bool has_prompt = false, has_text = false, has_max_tokens = false;
};

/// The prompt from where it is given: an argument, -p, -f, or standard input.
hearth::Result<std::string> read_prompt(const RunOptions& o) {
  if (!o.file.empty()) return read_text(o.file);
  if (o.has_text && o.text == "-") return read_text("-");
  if (o.has_text) return o.text;
  if (!o.has_prompt && piped_input()) return read_text("-");
  return o.prompt;
}

/// What is wrong about how the prompt is given; empty: nothing.
std::string prompt_fault(const RunOptions& o) {
  const int n_given = (o.has_prompt ? 1 : 0) + (o.file.empty() ? 0 : 1) + (o.has_text ? 1 : 0);
  if (n_given > 1) return "run: give the prompt once: as an argument, with -p or with -f";
  if (n_given == 0 && typed_input()) {
    return "run: what should be continued? Give a text as an argument, with -p, -f or through a pipe; hearth chat "
           "talks";
  }
  return {};
}

/// Says so when control tokens that the prompt spells are read as text.
void warn_of_markers(const hearth::Tokenizer& tokenizer, std::string_view prompt) {
  for (hearth::Token id = 0; id < tokenizer.n_vocab(); ++id) {
    const std::string_view raw = tokenizer.raw_token(id);
    if (raw.size() < 3 || !tokenizer.is_control(id) || prompt.find(raw) == std::string_view::npos) continue;
    show_warning("note: '" + std::string(raw) + "' in the prompt is read as text; --special makes it a control token");
    return;
  }
}

double per_second(int32_t n, double seconds) {
  return seconds > 0 ? n / seconds : 0;
}

/// The first token comes with the prompt's logits; the others take the time after.
int32_t tokens_after_first(const hearth::Timings& t) {
  return t.generated_tokens > 0 ? t.generated_tokens - 1 : 0;
}

void report_timings(const Generation& g, int n_threads, const hearth::SamplerOptions& sampler) {
  const hearth::Timings& t = g.timings;
  std::fprintf(stderr,
               "prompt %d tokens in %.3f s (%.1f tokens/s), generated %d in %.3f s (%.1f tokens/s), first token after "
               "%.3f s, %d threads, stop: %s%s\n",
               t.prompt_tokens, t.prompt_seconds, per_second(t.prompt_tokens, t.prompt_seconds), t.generated_tokens,
               t.generate_seconds, per_second(tokens_after_first(t), t.generate_seconds), t.first_token_seconds,
               n_threads, interrupted() ? "interrupted" : hearth::stop_reason_name(g.stop_reason),
               sampler.greedy ? "" : (", seed " + std::to_string(sampler.seed)).c_str());
}

Json generation_json(const Generation& g, const RunOptions& o, int n_threads, const hearth::SamplerOptions& sampler) {
  const hearth::Timings& t = g.timings;
  Json result = {{"model", o.model.path}, {"prompt_ids", g.prompt_ids}, {"ids", g.ids}, {"text", g.text}};
  if (!check_utf8(g.text, "")) result["text_hex"] = to_hex(g.text);  // "text" has U+FFFD for what is not UTF-8
  result["stop"] = interrupted() ? "interrupted" : hearth::stop_reason_name(g.stop_reason);
  if (!sampler.greedy) result["seed"] = sampler.seed;
  result["timings"] = {{"prompt_tokens", t.prompt_tokens},
                       {"reused_tokens", t.reused_tokens},
                       {"prompt_seconds", t.prompt_seconds},
                       {"prompt_tokens_per_second", per_second(t.prompt_tokens, t.prompt_seconds)},
                       {"generated_tokens", t.generated_tokens},
                       {"generate_seconds", t.generate_seconds},
                       {"generated_tokens_per_second", per_second(tokens_after_first(t), t.generate_seconds)},
                       {"first_token_seconds", t.first_token_seconds},
                       {"threads", n_threads}};
  return result;
}

hearth::GenerateOptions generate_options(const RunOptions& o, const hearth::GgufFile& file, const NamedModel& named) {
  const NamedDefaults defaults = NamedDefaults::of(named);
  hearth::GenerateOptions options;
  options.sampler = o.sampling.resolve(file, named);
  options.max_tokens = o.has_max_tokens ? o.max_tokens : defaults.max_tokens.value_or(o.max_tokens);
  options.ignore_end = o.ignore_eos;
  options.parse_special = o.special;
  options.add_special = !o.no_bos;
  options.stop_texts = o.stop.empty() ? defaults.stop_texts : o.stop;
  options.cancel = interrupt_flag();
  (void)o.cache.resolve(options);  // run() has looked at the error
  return options;
}

int generate(const RunOptions& o, const std::string& prompt, hearth::Session& session,
             hearth::GenerateOptions options) {
  if (o.echo && !o.json) print_foreign(prompt);
  std::optional<Progress> progress;
  if (!o.quiet) progress.emplace("computing the prompt");
  options.on_prompt = [&](int32_t done, int32_t total) {
    if (progress) progress->update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    return true;
  };
  bool ends_line = true;
  const auto made = session.generate(prompt, options, [&](std::string_view piece) {
    if (progress) progress->clear();
    if (!piece.empty()) ends_line = piece.back() == '\n';
    return o.json || print_foreign(piece);
  });
  progress.reset();
  if (!made && interrupted()) return fail_interrupted();
  if (!made && made.error().code == hearth::ErrorCode::kContextFull) return fail(made.error().message + " (see -c)");
  if (!made) return fail(made.error());
  const int n_threads = session.options().n_threads;
  const hearth::Speculator* speculator = options.speculator;
  if (o.json) {
    Json result = generation_json(*made, o, n_threads, options.sampler);
    if (speculator != nullptr) result["drafts"] = draft_json(*speculator);
    print_json(result);
  }
  if (!o.json && !ends_line) print("\n");
  if (finish_output() != 0) return kExitError;
  if (!o.quiet) report_timings(*made, n_threads, options.sampler);
  if (!o.quiet && speculator != nullptr) std::fprintf(stderr, "%s\n", describe_drafts(*speculator).c_str());
  if (const auto saved = o.cache.save(session); !saved) return fail(saved.error());
  return interrupted() ? interrupted_exit_code() : 0;
}

int run(const RunOptions& o) {
  catch_interrupts();
  if (const std::string fault = prompt_fault(o); !fault.empty()) return fail_usage(fault);
  if (const auto checked = o.sampling.check(); !checked) return fail_usage(checked.error().message);
  auto session_options = o.session.resolve();
  if (!session_options) return fail_usage(session_options.error().message);
  if (auto status = o.drafts.prepare(*session_options); !status) return fail_usage("run: " + status.error().message);
  hearth::GenerateOptions unused;
  if (auto status = o.cache.resolve(unused); !status) return fail_usage("run: " + status.error().message);
  const auto prompt = read_prompt(o);
  if (!prompt) return fail(prompt.error());
  if (auto status = check_utf8(*prompt, "the prompt"); !status) return fail(status.error());

  NamedModel named;
  const auto model = load_model(o.model, &named);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  if (auto status = load_adapters(named, *model, *session_options); !status) return fail(status.error());
  if (session_options->n_ctx == 0) session_options->n_ctx = NamedDefaults::of(named).n_ctx.value_or(0);
  if (auto status = o.session.adapters.load(*model, *session_options); !status) return fail(status.error());
  choose_context(*model, *session_options);
  auto session = hearth::Session::create(*model, *session_options);
  if (!session) return fail_session(session.error());
  if (auto status = o.cache.restore(*session); !status) return fail(status.error());
  const auto speculator = o.drafts.create(*session);
  if (!speculator) return fail(speculator.error());
  if (!o.quiet) show_warning(session->warning());
  if (!o.quiet && !o.special) warn_of_markers(model->tokenizer(), *prompt);
  hearth::GenerateOptions options = generate_options(o, model->file(), named);
  auto grammar = o.grammar.resolve(&model->tokenizer());
  if (!grammar) return fail_usage("run: " + grammar.error().message);
  options.grammar = *std::move(grammar);
  options.speculator = speculator->get();
  return generate(o, *prompt, *session, std::move(options));
}

}  // namespace

Action setup_run(Options& options) {
  auto values = std::make_shared<RunOptions>();
  values->model.declare(options);
  options.add("text", values->text, "Text to continue (-: standard input, which a pipe is read from anyway)");
  options.add("-p,--prompt", values->prompt, "Text to continue");
  options.add("-f,--file", values->file, "File with the text to continue (-: standard input)");
  options.add("-n,--max-tokens", values->max_tokens,
              "Tokens to generate at most (-1: until the end or a full context)");
  options.add("--ignore-eos", values->ignore_eos, "Go on past end tokens");
  options.add("--special", values->special, "Control tokens written in the prompt count as such");
  options.add("--no-bos", values->no_bos, "Do not begin as the vocabulary asks (BOS)");
  options.add("--stop", values->stop, "Text that ends the generation; may be repeated");
  options.add("--echo", values->echo, "Print the prompt first");
  options.add("-q,--quiet", values->quiet, "Only the text: no timings, progress or notes");
  options.add("--json", values->json, "Print one JSON object: prompt_ids, ids, text, stop, timings");
  values->session.declare(options);
  values->session.declare_rope(options);
  values->cache.declare(options);
  values->sampling.declare(options);
  values->grammar.declare(options);
  values->drafts.declare(options);
  options.footer("The text goes to standard output as it is made, timings go to standard error.");
  return [values, options] {
    values->has_prompt = options.given("--prompt");
    values->has_text = options.given("text");
    values->has_max_tokens = options.given("--max-tokens");
    return run(*values);
  };
}

}  // namespace hearth_tool
