// hearth logits: raw float32 logits for a list of tokens, or what is likeliest to follow them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>

#include "commands.h"
#include "model_options.h"
#include "output_file.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Session;
using hearth::Status;

struct LogitsOptions {
  ModelSettings model;
  std::string output, prompt;
  std::vector<int32_t> tokens;
  int32_t batch = 0, top = 0;
  SessionSettings session;
};

/// Rows of logits held at once when --batch does not say.
constexpr int32_t kDefaultBatch = 64;

Status check_tokens(const std::vector<int32_t>& tokens, int32_t n_vocab) {
  if (tokens.empty()) return Error{ErrorCode::kInvalidArgument, "--tokens: no token ids"};
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < n_vocab) continue;
    return Error{ErrorCode::kInvalidArgument, "--tokens: id " + std::to_string(tokens[i]) + " at place " +
                                                  std::to_string(i) + " is out of range (the vocabulary has " +
                                                  std::to_string(n_vocab) + " tokens)"};
  }
  return {};
}

Status write_logits(Session& session, const std::vector<int32_t>& tokens, OutputFile& out) {
  Progress progress("computing");
  Status written;
  const auto write_rows = [&](int32_t done, int32_t total) {
    for (size_t i = 0; written && i < session.n_logits(); ++i) written = out.write(std::as_bytes(session.logits(i)));
    progress.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    return written.ok();
  };
  const Status computed =
      session.prefill(tokens, {.all_logits = true, .on_progress = write_rows, .cancel = interrupt_flag()});
  return written ? computed : written;
}

/// "rank  id  probability  logit  piece" of the likeliest tokens after the last one.
void print_top(std::span<const float> logits, const hearth::Tokenizer& tokenizer, int32_t n_top) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const size_t n = std::min(static_cast<size_t>(n_top), ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n), ids.end(),
                    [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - logits[ids[0]]);
  print("rank      id  probability     logit  text\n");
  for (size_t i = 0; i < n; ++i) {
    const float logit = logits[ids[i]];
    char line[80];
    std::snprintf(line, sizeof line, "%4zu %7d  %11.6f  %8.3f  ", i + 1, ids[i],
                  std::exp(static_cast<double>(logit) - logits[ids[0]]) / sum, static_cast<double>(logit));
    print(line + quoted_piece(tokenizer.piece(ids[i])) + "\n");
  }
}

/// The tokens of --tokens, or those of --prompt.
hearth::Result<std::vector<int32_t>> wanted_tokens(const LogitsOptions& o, const hearth::Tokenizer& tokenizer) {
  if (o.prompt.empty()) return o.tokens;
  return tokenizer.encode(o.prompt, {.add_special = true});
}

int top(const LogitsOptions& o, const hearth::Model& model, const std::vector<int32_t>& tokens,
        hearth::SessionOptions options) {
  auto session = Session::create(model, options);
  if (!session) return fail_session(session.error());
  show_warning(session->warning());
  if (auto status = session->prefill(tokens, {.cancel = interrupt_flag()}); !status) {
    return interrupted() ? fail_interrupted() : fail(status.error());
  }
  print_top(session->logits(0), model.tokenizer(), o.top);
  return finish_output();
}

int logits(const LogitsOptions& o) {
  catch_interrupts();
  if (o.tokens.empty() == o.prompt.empty())
    return fail_usage("logits: give the tokens once: with --tokens or --prompt");
  if (o.output.empty() == (o.top == 0)) return fail_usage("logits: give either --output or --top");
  if (o.top < 0) return fail_usage("logits: --top must not be negative");
  auto session_options = o.session.resolve();
  if (!session_options) return fail_usage(session_options.error().message);
  if (o.batch < 0) return fail_usage("logits: --batch must not be negative");
  NamedModel named;
  const auto model = load_model(o.model, &named);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  if (auto status = load_adapters(named, *model, *session_options); !status) return fail(status.error());
  if (auto status = o.session.adapters.load(*model, *session_options); !status) return fail(status.error());
  const auto tokens = wanted_tokens(o, model->tokenizer());
  if (!tokens) return fail(tokens.error());
  if (auto status = check_tokens(*tokens, model->info().n_vocab); !status) return fail(status.error());
  if (!model->info().has_logits) {
    return fail("architecture " + model->info().architecture + " is an encoder and has no logits");
  }
  const auto n_tokens = static_cast<int32_t>(tokens->size());
  if (session_options->n_ctx == 0) session_options->n_ctx = n_tokens;
  if (n_tokens > session_options->n_ctx) {
    return fail("--tokens: " + std::to_string(n_tokens) + " tokens do not fit the context of " +
                std::to_string(session_options->n_ctx) + " (see -c)");
  }
  if (o.top > 0) return top(o, *model, *tokens, *session_options);
  const int32_t wanted = o.batch > 0 ? o.batch : kDefaultBatch;
  const int32_t batch_tokens = model->info().causal ? std::min(wanted, n_tokens) : n_tokens;
  session_options->n_batch = batch_tokens;
  session_options->n_logits = batch_tokens;
  auto session = Session::create(*model, *session_options);
  if (!session) return fail_session(session.error());
  show_warning(session->warning());
  OutputFile out;
  Status status = out.open(o.output);
  if (status) status = write_logits(*session, *tokens, out);
  if (status) status = out.commit();
  if (!status && interrupted()) return fail_interrupted("; nothing was written to " + o.output);
  return status ? 0 : fail(status.error());
}

}  // namespace

Action setup_logits(Options& options) {
  auto values = std::make_shared<LogitsOptions>();
  values->model.declare(options);
  options.add("--tokens", values->tokens, "Token ids, separated by commas");
  options.add("-p,--prompt", values->prompt, "A text instead of token ids (with BOS as the vocabulary asks)");
  options.add("-o,--output", values->output, "File to write: little-endian float32 [n_tokens][n_vocab]");
  options.add("--top", values->top,
              "Show this many of the likeliest next tokens, with probabilities, instead of a file");
  options.add("--batch", values->batch, "Tokens computed at a time (0: 64)");
  values->session.declare(options, false);
  values->session.declare_rope(options);
  options.footer("Without -c the context is as long as the list of tokens.");
  return [values] { return logits(*values); };
}

}  // namespace hearth_tool
