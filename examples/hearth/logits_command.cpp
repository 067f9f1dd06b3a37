// hearth logits: raw float32 logits for a list of tokens.
#include <algorithm>
#include <memory>

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
  std::string model, output;
  std::vector<int32_t> tokens;
  int32_t batch = 0;
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

int logits(const LogitsOptions& o) {
  catch_interrupts();
  auto session_options = o.session.resolve();
  if (!session_options) return fail(session_options.error());
  if (o.batch < 0) return fail_usage("logits: --batch must not be negative");
  const auto model = load_model(o.model);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  if (auto status = check_tokens(o.tokens, model->info().n_vocab); !status) return fail(status.error());
  if (!model->info().has_logits) {
    return fail("architecture " + model->info().architecture + " is an encoder and has no logits");
  }
  const auto n_tokens = static_cast<int32_t>(o.tokens.size());
  if (session_options->n_ctx == 0) session_options->n_ctx = n_tokens;
  if (n_tokens > session_options->n_ctx) {
    return fail("--tokens: " + std::to_string(n_tokens) + " tokens do not fit the context of " +
                std::to_string(session_options->n_ctx) + " (see -c)");
  }
  const int32_t wanted = o.batch > 0 ? o.batch : kDefaultBatch;
  const int32_t batch_tokens = model->info().causal ? std::min(wanted, n_tokens) : n_tokens;
  session_options->n_batch = batch_tokens;
  session_options->n_logits = batch_tokens;
  if (auto status = o.session.adapters.load(*model, *session_options); !status) return fail(status.error());
  auto session = Session::create(*model, *session_options);
  if (!session) return fail(session.error());
  OutputFile out;
  Status status = out.open(o.output);
  if (status) status = write_logits(*session, o.tokens, out);
  if (status) status = out.commit();
  if (!status && interrupted()) return fail_interrupted("; nothing was written to " + o.output);
  return status ? 0 : fail(status.error());
}

}  // namespace

Action setup_logits(Options& options) {
  auto values = std::make_shared<LogitsOptions>();
  options.add("model", values->model, "!GGUF file");
  options.add("--tokens", values->tokens, "!Token ids, separated by commas");
  options.add("-o,--output", values->output, "!File to write: little-endian float32 [n_tokens][n_vocab]");
  options.add("--batch", values->batch, "Tokens computed at a time (0: 64)");
  values->session.declare(options, false);
  options.footer("Without -c the context is as long as the list of tokens.");
  return [values] { return logits(*values); };
}

}  // namespace hearth_tool
