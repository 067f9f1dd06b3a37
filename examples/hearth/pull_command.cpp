// hearth pull: fetches models from registries, the hub, and addresses.
#include <chrono>
#include <cstdio>
#include <memory>

#include "../store/pull.h"
#include "commands.h"
#include "json_output.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

struct PullArguments {
  std::vector<std::string> names;
  std::string as;
  bool json = false;
};

/// What stands behind the share: "1.20 GB of 2.50 GB, 31.0 MB/s".
class Speed {
 public:
  std::string note(const hearth_store::PullState& state) {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    if (state.all_done < first_ || seconds > 10) begin_ = now, first_ = state.all_done;
    const double rate = seconds > 0.5 ? static_cast<double>(state.all_done - first_) / seconds : 0;
    char text[48] = "";
    if (rate > 0) std::snprintf(text, sizeof text, ", %.1f MB/s", rate / 1e6);
    const uint64_t total = std::max(state.all_total, state.total);
    return format_bytes(state.all_done) + " of " + format_bytes(total) + text;
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  uint64_t first_ = 0;
};

int pull_one(const PullArguments& o, const std::string& name, Json& report) {
  const auto store = hearth_store::Store::standard();
  Progress line("pulling " + name);
  Speed speed;
  hearth_store::PullOptions options;
  options.progress = [&](const hearth_store::PullState& state) {
    const uint64_t total = std::max(state.all_total, state.total);
    if (total > 0) line.update(state.all_done, total, speed.note(state));
    return !interrupted();
  };
  const auto entry = hearth_store::pull(store, name, options, o.as);
  line.clear();
  if (interrupted()) return fail_interrupted("what has come is kept; the same command goes on with it");
  if (!entry) return fail(entry.error());
  if (o.json) {
    report.push_back(
        {{"name", entry->id.text()}, {"path", entry->path}, {"size", entry->bytes}, {"digest", entry->digest}});
  } else {
    print(entry->id.short_text() + "\n");
  }
  return 0;
}

int pull(const PullArguments& o) {
  if (o.names.empty()) return fail_usage("pull: which models?");
  if (!o.as.empty() && o.names.size() > 1) return fail_usage("pull: --as is the name of one model");
  catch_interrupts();
  Json report = Json::array();
  int code = 0;
  for (const std::string& name : o.names) {
    if (const int failed = pull_one(o, name, report); failed != 0) code = failed;
    if (interrupted()) return code;
  }
  if (o.json) print_json(report);
  return finish_output(code);
}

}  // namespace

Action setup_pull(Options& options) {
  auto values = std::make_shared<PullArguments>();
  options.add("names", values->names,
              "Names as registries have them (qwen3:4b, host/owner/model:tag), hf:owner/repository[:quantization], or "
              "https addresses of GGUF files");
  options.add("--as", values->as, "Name for it here");
  options.add("--json", values->json, "Print what came as JSON: name, path, size, digest");
  options.footer(
      "A pull that was cut or stopped goes on where it was. Sizes and SHA-256 are compared before a name appears.\n"
      "HF_TOKEN and HEARTH_REGISTRY_TOKEN (a token, or user:password) open what is closed; https_proxy is heeded.");
  return [values] { return pull(*values); };
}

}  // namespace hearth_tool
