// hearth convert: Hugging Face folders and PEFT adapters to GGUF.
#include "hearth/convert.h"

#include <filesystem>
#include <memory>

#include "commands.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::ConvertReport;
using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

struct ConvertArguments {
  std::string input, output, type, base, pre;
  bool no_checksums = false;
};

Result<std::optional<hearth::TensorType>> parse_float_type(const std::string& name) {
  std::optional<hearth::TensorType> type;
  if (name.empty() || name == "keep") return type;
  if (name == "f32") return std::optional(hearth::TensorType::kF32);
  if (name == "f16") return std::optional(hearth::TensorType::kF16);
  if (name == "bf16") return std::optional(hearth::TensorType::kBF16);
  return Error{ErrorCode::kInvalidArgument, "--type: \"" + name + "\" is none of keep, f32, f16, bf16"};
}

int convert(const ConvertArguments& o) {
  catch_interrupts();
  const auto type = parse_float_type(o.type);
  if (!type) return fail_usage(type.error().message);
  Progress progress("converting");
  hearth::ConvertOptions options;
  options.type = *type;
  options.pre = o.pre;
  options.checksums = !o.no_checksums;
  options.cancel = interrupt_flag();
  options.on_progress = [&](uint64_t done, uint64_t total) {
    progress.update(done, total);
    return true;
  };
  const bool is_adapter = std::filesystem::exists(std::filesystem::path(o.input) / "adapter_config.json");
  if (is_adapter && o.base.empty()) return fail_usage("convert: an adapter needs --base FOLDER, its model's");
  const Result<ConvertReport> report = is_adapter ? hearth::convert_adapter(o.input, o.base, o.output, options)
                                                  : hearth::convert_model(o.input, o.output, options);
  progress.clear();
  if (!report && interrupted()) return fail_interrupted("; nothing was written to " + o.output);
  if (!report) return fail(report.error());
  for (const std::string& warning : report->warnings) show_warning(warning);
  print(report->architecture + ", " + std::to_string(report->n_tensors) + " tensors: " + o.output + "\n");
  return finish_output();
}

}  // namespace

Action setup_convert(Options& options) {
  auto values = std::make_shared<ConvertArguments>();
  options.add("input", values->input, "!Hugging Face folder, a .safetensors file in one, or a PEFT (LoRA) folder");
  options.add("-o,--output", values->output, "!GGUF file to write");
  options.add("--type", values->type, "Type of the matrices: f32, f16, bf16 (keep: that of the input)");
  options.add("--base", values->base, "Of an adapter: folder of the model that it was trained for");
  options.add("--pre", values->pre, "Name of the pre-tokenizer, where its rules are not recognized");
  options.add("--no-checksums", values->no_checksums, "Leave out the checksums of tensors (see hearth verify)");
  return [values] { return convert(*values); };
}

}  // namespace hearth_tool
