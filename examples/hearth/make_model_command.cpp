// hearth make-model: a full-size file in the shape of a published model, with seeded random weights.
#include <memory>
#include <string>

#include "commands.h"
#include "model_writer.h"

namespace hearth_tool {
namespace {

struct MakeModelOptions {
  std::string shape, output, type = "q4_k_m", vocab;
  uint64_t seed = 1;
  int32_t layers = 0;
};

std::string shape_names() {
  std::string names;
  for (const ModelShape& shape : model_shapes()) {
    if (!shape.is_hidden) names += (names.empty() ? "" : ", ") + std::string(shape.name);
  }
  return names;
}

int make_model(const MakeModelOptions& options) {
  const ModelShape* known = find_model_shape(options.shape);
  if (!known) return fail_usage("make-model: unknown shape '" + options.shape + "'; known: " + shape_names());
  const TypeMix* mix = find_type_mix(options.type);
  if (!mix) return fail_usage("make-model: unknown type '" + options.type + "'; known: " + type_mix_names());
  if (options.layers < 0 || options.layers > known->n_layers) {
    return fail_usage("make-model: --layers is " + std::to_string(options.layers) + "; " + options.shape + " has " +
                      std::to_string(known->n_layers));
  }
  ModelShape shape = *known;
  if (options.layers > 0) shape.n_layers = options.layers;
  catch_interrupts();
  Progress progress("writing " + options.output);
  const auto n_parameters = write_model(options.output, shape, *mix, options.vocab, options.seed, progress);
  progress.clear();
  if (!n_parameters && interrupted()) return fail_interrupted("; nothing was written to " + options.output);
  if (!n_parameters) return fail(n_parameters.error());
  print(options.output + ": " + shape.title + ", " + mix->title + ", " + format_count(*n_parameters) + " parameters\n");
  return finish_output();
}

}  // namespace

Action setup_make_model(Options& options) {
  auto values = std::make_shared<MakeModelOptions>();
  static const std::string shapes = "!Shape: " + shape_names();
  static const std::string types = "Mix of tensor types: " + type_mix_names();
  options.add("shape", values->shape, shapes.c_str());
  options.add("-o,--output", values->output, "!File to write");
  options.add("--type", values->type, types.c_str());
  options.add("--vocab", values->vocab, "GGUF file whose vocabulary is copied (default: a made-up one)");
  options.add("--seed", values->seed, "Seed of the random weights");
  options.add("--layers", values->layers, "Number of layers, fewer than the shape has (0: all)");
  return [values] { return make_model(*values); };
}

}  // namespace hearth_tool
