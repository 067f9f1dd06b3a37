// hearth merge: a model with adapters added into its weights.
#include <memory>

#include "commands.h"
#include "hearth/merge.h"
#include "hearth/quantizer.h"
#include "model_options.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

struct MergeSettings {
  std::string model, output, type;
  std::vector<std::string> loras;
};

int merge(const MergeSettings& o) {
  catch_interrupts();
  hearth::MergeOptions options;
  if (!o.type.empty()) {
    const auto type = hearth::parse_tensor_type(o.type);
    if (!type) return fail_usage("merge: --type: " + type.error().message);
    options.type = *type;
  }
  if (o.loras.empty()) return fail_usage("merge: name at least one adapter");
  const auto model = load_model(o.model);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  AdapterSettings adapters;
  adapters.loras = o.loras;
  const auto loaded = adapters.load(*model);
  if (!loaded) return fail(loaded.error());
  Progress progress("writing " + o.output);
  options.progress = [&](size_t tensor, size_t n_tensors) {
    progress.update(tensor, n_tensors);
    return !interrupted();
  };
  const auto status = hearth::merge_adapters(*model, *loaded, o.output, options);
  progress.clear();
  if (!status && interrupted()) return fail_interrupted("; nothing was written to " + o.output);
  return status ? 0 : fail(status.error());
}

}  // namespace

Action setup_merge(Options& options) {
  auto values = std::make_shared<MergeSettings>();
  options.add("model", values->model, "!GGUF file");
  options.add("adapters", values->loras, "!LoRA adapters: FILE or FILE:SCALE, one or several");
  options.add("-o,--output", values->output, "!File to write");
  options.add("--type", values->type, "Type of the tensors that change, e.g. f16 or q6_k (else their own)");
  options.footer("Other tensors are copied as they are.");
  return [values] { return merge(*values); };
}

}  // namespace hearth_tool
