// hearth serve: models over HTTP, in the words of several protocols.
#include <memory>

#include "commands.h"
#include "draft_settings.h"
#include "model_options.h"
#include "terminal.h"

// The server's folder is searched where CMake links it.
#if __has_include("serve.h")
#define HEARTH_SERVER 1
#include "serve.h"
#endif

namespace hearth_tool {

#ifdef HEARTH_SERVER

namespace {

struct ServeCommand {
  hearth_server::ServeSettings settings;
  SessionSettings session;
  std::vector<std::string> more_models;
  int32_t port = 0, parallel = 0, max_queue = 256, max_loaded = 0, max_upload = 256;
  DraftSettings drafts;
  std::string flash_attention, gpu_layers;
  bool batch_invariant = false;

  int run(const Options& options);
};

int ServeCommand::run(const Options&) {
  const auto resolved = session.resolve();
  if (!resolved) return fail_usage(resolved.error().message);
  settings.session = *resolved;
  settings.session.batch_invariant = batch_invariant;
  settings.port = port;
  settings.parallel = parallel;
  hearth::SessionOptions unused;
  if (auto status = drafts.prepare(unused); !status) return fail_usage("serve: " + status.error().message);
  settings.draft = drafts.model;
  settings.lookup = drafts.lookup;
  settings.mtp = drafts.mtp;
  settings.max_draft = drafts.max_draft;
  settings.max_queue = max_queue;
  settings.max_loaded = max_loaded;
  settings.max_upload = max_upload;
  for (const std::string& text : session.adapters.loras) settings.loras.push_back(split_scale(text));
  if (!session.adapters.control_vectors.empty()) return fail_usage("serve: --control-vector is not offered here");
  settings.models.insert(settings.models.end(), more_models.begin(), more_models.end());
  if (parallel < 0 || parallel > 256) return fail_usage("--parallel must be between 1 and 256");
  if (settings.reuse_stretches < 0) return fail_usage("--cache-reuse must not be negative");
  if (max_queue < 1 || max_queue > 100000) return fail_usage("--max-queue must be between 1 and 100000");
  if (max_upload < 0 || max_upload > 100000) return fail_usage("--max-upload must be between 0 and 100000");
  if (!gpu_layers.empty() && gpu_layers != "0") show_warning("-ngl: there is no GPU here; every layer runs on the CPU");
  catch_interrupts();
  return hearth_server::serve(settings, *interrupt_flag());
}

}  // namespace

Action setup_serve(Options& options) {
  auto command = std::make_shared<ServeCommand>();
  auto& s = command->settings;
  options.add("model", s.models, "Model files (GGUF); one alone answers to any name");
  options.add("-m,--model-file", command->more_models, "The same as an option");
  options.add("--models", s.folders, "Folder of model files, or a store of Ollama; may be repeated");
  options.add("--host,--listen", s.hosts,
              "Address to listen on (127.0.0.1 and ::1), with a port of its own if one follows; may be repeated");
  options.add("--port", command->port, "Port (0: 11434)");
  options.add("--unix", s.unix_path, "Listen on a Unix socket, too");
  command->session.declare(options);
  command->drafts.declare(options);
  options.add("--np,--parallel", command->parallel, "Answers written at once (0: 4); each has the context of -c");
  options.add(
      "--cache-reuse", s.reuse_stretches,
      "Of a prompt that changed in the middle keep unchanged stretches of so many tokens or more, an approximation "
      "(0: never)");
  options.add("--max-queue", command->max_queue, "Requests of a model that may wait; more are refused");
  options.add("--max-loaded", command->max_loaded, "Models in memory at once (0: 3)");
  options.add("--max-upload", command->max_upload,
              "Gigabytes of a file that clients upload (/api/blobs); 0: they may not");
  options.add("--batch-invariant", command->batch_invariant,
              "Answers do not depend on what is answered beside them, to the last bit (slower)");
  options.add("--keep-alive", s.keep_alive, "Unload a model after so long without requests, as 5m, 1h, -1 (never)");
  options.add("--api-key", s.api_key, "Answer only requests with this key");
  options.add("--api-key-file", s.api_key_file, "Keys, one a line; read again at SIGHUP");
  options.add("--cors", s.cors, "Another origin whose pages may use the server; * stands for anything");
  options.add("--metrics", s.metrics, "Answer /metrics in Prometheus' form");
  options.add("--slot-save-path", s.slot_folder,
              "Folder of files that POST /slots/N?action=save writes and restore reads");
  options.add("--drain", s.drain_seconds, "Seconds that answers get to end when SIGTERM comes");
  options.add("--log-level", s.log_level, "none, error or info (a line of JSON for each request, without texts)");
  options.add("--fa,--flash-attn", command->flash_attention,
              "Taken for llama-server's sake: attention always works so");
  options.add("--ngl,--n-gpu-layers", command->gpu_layers, "Taken for llama-server's sake: there is no GPU");
  options.footer(
      "The environment is heeded as Ollama does: OLLAMA_HOST, OLLAMA_MODELS, OLLAMA_KEEP_ALIVE,\n"
      "OLLAMA_ORIGINS, OLLAMA_CONTEXT_LENGTH, OLLAMA_NUM_PARALLEL, OLLAMA_MAX_LOADED_MODELS.");
  return [command, &options] { return command->run(options); };
}

#else

Action setup_serve(Options&) {
  return [] { return fail("this build has no server: it was made without nlohmann-json, or for Windows"); };
}

#endif

}  // namespace hearth_tool
