// hearth imatrix: an importance matrix from a text, in the form that llama.cpp reads too.
#include <memory>

#include "../store/system.h"
#include "commands.h"
#include "measure_options.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::ImportanceMatrix;
using hearth::Result;

struct ImatrixOptions {
  std::string model, text, output;
  std::vector<std::string> merged;
  bool with_output = false;
  MeasureSettings run;
};

Result<ImportanceMatrix> measure(const ImatrixOptions& o) {
  const auto run = o.run.resolve();
  if (!run) return run.error();
  const auto model = load_model(o.model);
  if (!model) return model.error();
  const auto text = read_text(o.text);
  if (!text) return text.error();
  Progress progress("measuring");
  return hearth::measure_importance(*model, *text,
                                    {.run = *run,
                                     .with_output = o.with_output,
                                     .dataset = o.text == "-" ? "" : hearth_store::path_of(o.text).filename().string(),
                                     .on_progress = [&](int64_t done, int64_t total) {
                                       progress.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
                                       return true;
                                     }});
}

int imatrix(const ImatrixOptions& o) {
  catch_interrupts();
  Result<ImportanceMatrix> matrix = measure(o);
  if (!matrix && interrupted()) return fail_interrupted("; nothing was written to " + o.output);
  if (!matrix) return fail(matrix.error());
  for (const std::string& path : o.merged) {
    const auto other = ImportanceMatrix::read(path);
    if (!other) return fail(other.error());
    if (auto merged = matrix->merge(*other); !merged) return fail(path + ": " + merged.error().message);
  }
  if (auto written = matrix->write(o.output); !written) return fail(written.error());
  for (const std::string& warning : matrix->warnings()) show_warning(warning);
  print(std::to_string(matrix->entries().size()) + " matrices, " + std::to_string(matrix->n_chunks) + " chunks of " +
        std::to_string(matrix->chunk_size) + " tokens: " + o.output + "\n");
  return finish_output();
}

}  // namespace

Action setup_imatrix(Options& options) {
  auto values = std::make_shared<ImatrixOptions>();
  options.add("model", values->model, "!GGUF file");
  options.add("text", values->text, "!Text file like what the model will be used for (-: standard input)");
  options.add("-o,--output", values->output, "!File to write: GGUF, as llama.cpp's llama-imatrix writes it");
  options.add("--output-matrix", values->with_output, "Measure the output matrix too");
  options.add("--in-file", values->merged, "Add what another file measured (GGUF or .dat); may be repeated");
  values->run.declare(options);
  options.footer("Some ten thousand tokens of varied text serve well; what too few were measured for is said.");
  return [values] { return imatrix(*values); };
}

}  // namespace hearth_tool
