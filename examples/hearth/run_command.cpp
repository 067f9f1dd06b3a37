// hearth run: continues a text.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "json_output.h"
#include "model_options.h"

namespace hearth_tool {
namespace {

using hearth::Generation;

struct RunOptions {
  std::string model, prompt, file, source;
  int32_t max_tokens = 128;
  bool ignore_eos = false, json = false, special = false, no_bos = false, echo = false;
  std::vector<std::string> stop;
  SessionSettings session;
  SamplingSettings sampling;
  bool has_prompt = false;
};

hearth::Result<std::string> read_prompt(const RunOptions& o) {
  if (!o.source.empty() && o.source != "-") {
    return hearth::Error{hearth::ErrorCode::kInvalidArgument,
                         "unexpected argument '" + o.source + "' (the prompt is given with -p, -f or -)"};
  }
  const int n_given = (o.has_prompt ? 1 : 0) + (o.file.empty() ? 0 : 1) + (o.source.empty() ? 0 : 1);
  if (n_given > 1) {
    return hearth::Error{hearth::ErrorCode::kInvalidArgument, "give the prompt once: with -p, -f or -"};
  }
  if (!o.file.empty()) return read_text(o.file);
  if (!o.source.empty()) return read_text("-");
  return o.prompt;
}

double per_second(int32_t n, double seconds) {
  return seconds > 0 ? n / seconds : 0;
}

/// The first token comes with the prompt's logits; the others take the time after.
int32_t tokens_after_first(const hearth::Timings& t) {
  return t.generated_tokens > 0 ? t.generated_tokens - 1 : 0;
}

void report_timings(const Generation& g, int n_threads) {
  const hearth::Timings& t = g.timings;
  std::fprintf(stderr,
               "prompt %d tokens in %.3f s (%.1f tokens/s), generated %d in %.3f s (%.1f tokens/s), first token after "
               "%.3f s, %d threads, stop: %s\n",
               t.prompt_tokens, t.prompt_seconds, per_second(t.prompt_tokens, t.prompt_seconds), t.generated_tokens,
               t.generate_seconds, per_second(tokens_after_first(t), t.generate_seconds), t.first_token_seconds,
               n_threads, interrupted() ? "interrupted" : hearth::stop_reason_name(g.stop_reason));
}

Json to_json(const Generation& g, const std::string& model, int n_threads) {
  const hearth::Timings& t = g.timings;
  Json result = {{"model", model}, {"prompt_ids", g.prompt_ids}, {"ids", g.ids}, {"text", g.text}};
  if (!check_utf8(g.text, "")) result["text_hex"] = to_hex(g.text);  // "text" has U+FFFD for what is not UTF-8
  result["stop"] = interrupted() ? "interrupted" : hearth::stop_reason_name(g.stop_reason);
  result["timings"] = {{"prompt_tokens", t.prompt_tokens},
                       {"prompt_seconds", t.prompt_seconds},
                       {"prompt_tokens_per_second", per_second(t.prompt_tokens, t.prompt_seconds)},
                       {"generated_tokens", t.generated_tokens},
                       {"generate_seconds", t.generate_seconds},
                       {"generated_tokens_per_second", per_second(tokens_after_first(t), t.generate_seconds)},
                       {"first_token_seconds", t.first_token_seconds},
                       {"threads", n_threads}};
  return result;
}

int run(const RunOptions& o) {
  catch_interrupts();
  const auto prompt = read_prompt(o);
  if (!prompt) return fail(prompt.error());
  if (auto status = check_utf8(*prompt, "the prompt"); !status) return fail(status.error());
  hearth::GenerateOptions options;
  auto sampler = o.sampling.resolve();
  if (!sampler) return fail(sampler.error());
  options.sampler = *sampler;
  options.max_tokens = o.max_tokens;
  options.ignore_end = o.ignore_eos;
  options.parse_special = o.special;
  options.add_special = !o.no_bos;
  options.stop_texts = o.stop;
  options.cancel = interrupt_flag();
  const auto session_options = o.session.resolve();
  if (!session_options) return fail(session_options.error());

  const auto model = load_model(o.model);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  auto session = hearth::Session::create(*model, *session_options);
  if (!session) return fail(session.error());

  if (o.echo && !o.json) print(*prompt);
  Progress progress("computing the prompt");
  options.on_prompt = [&](int32_t done, int32_t total) {
    progress.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    if (done == total) progress.clear();
    return true;
  };
  bool ends_line = true;
  const auto made = session->generate(*prompt, options, [&](std::string_view piece) {
    if (!piece.empty()) ends_line = piece.back() == '\n';
    return o.json || print(piece);
  });
  progress.clear();
  if (!made && interrupted()) return fail_interrupted();
  if (!made) return fail(made.error());
  const int n_threads = session->options().n_threads;
  if (o.json) print_json(to_json(*made, o.model, n_threads));
  if (!o.json && !ends_line) print("\n");
  if (finish_output() != 0) return kExitError;
  report_timings(*made, n_threads);
  return interrupted() ? interrupted_exit_code() : 0;
}

}  // namespace

Action setup_run(Options& options) {
  auto values = std::make_shared<RunOptions>();
  options.add("model", values->model, "!GGUF file");
  options.add("source", values->source, "- reads the prompt from standard input");
  options.add("-p,--prompt", values->prompt, "Text to continue");
  options.add("-f,--file", values->file, "File with the text to continue (-: standard input)");
  options.add("-n,--max-tokens", values->max_tokens,
              "Tokens to generate at most (-1: until the end or a full context)");
  options.add("--ignore-eos", values->ignore_eos, "Go on past end tokens");
  options.add("--special", values->special, "Control tokens written in the prompt count as such");
  options.add("--no-bos", values->no_bos, "Do not begin as the vocabulary asks (BOS)");
  options.add("--stop", values->stop, "Text that ends the generation; may be repeated");
  options.add("--echo", values->echo, "Print the prompt first");
  options.add("--json", values->json, "Print one JSON object: prompt_ids, ids, text, stop, timings");
  values->session.declare(options);
  values->sampling.declare(options);
  options.footer("The text goes to standard output as it is made, timings go to standard error.");
  return [values, options] {
    values->has_prompt = options.given("--prompt");
    return run(*values);
  };
}

}  // namespace hearth_tool
