// hearth convert: Hugging Face folders and PEFT adapters to GGUF.
#include "hearth/convert.h"

#include <strings.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "../store/system.h"
#include "commands.h"
#include "hearth/quantizer.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::ConvertReport;
using hearth::Result;

struct ConvertArguments {
  std::string input, output, type, base, pre;
  bool no_checksums = false;
};

/// Of the matrices that conversion itself writes: nothing said keeps those of the input. Other names are mixes of the
/// quantizer.
std::optional<hearth::TensorType> float_type(const std::string& name) {
  if (name == "f32") return hearth::TensorType::kF32;
  if (name == "f16") return hearth::TensorType::kF16;
  if (name == "bf16") return hearth::TensorType::kBF16;
  return std::nullopt;
}

bool is_mix(const std::string& name) {
  const auto same = [&](const char* mix) { return strcasecmp(mix, name.c_str()) == 0; };
  return std::any_of(hearth::mix_names().begin(), hearth::mix_names().end(), same);
}

Result<ConvertReport> convert_floats(const ConvertArguments& o, const std::string& output, bool checksums) {
  Progress progress("converting");
  hearth::ConvertOptions options;
  options.type = float_type(o.type);
  options.pre = o.pre;
  options.checksums = checksums;
  options.cancel = interrupt_flag();
  options.on_progress = [&](uint64_t done, uint64_t total) {
    progress.update(done, total);
    return true;
  };
  if (!o.base.empty()) return hearth::convert_adapter(o.input, o.base, output, options);
  return hearth::convert_model(o.input, output, options);
}

hearth::Status quantize_floats(const ConvertArguments& o, const std::string& floats) {
  Progress progress("quantizing");
  hearth::QuantizeOptions options;
  options.type = o.type;
  options.progress = [&](const hearth::QuantizeProgress& p) {
    progress.update(p.done_bytes, p.total_bytes);
    return !interrupted();
  };
  auto quantizer = hearth::Quantizer::open(floats, std::move(options));
  if (!quantizer) return quantizer.error();
  for (const std::string& warning : quantizer->warnings()) show_warning(warning);
  const auto written = quantizer->run(o.output);
  if (!written) return written.error();
  return {};
}

/// Through a file of floats beside the output, which is removed.
Result<ConvertReport> convert_and_quantize(const ConvertArguments& o) {
  const std::string floats = o.output + ".floats.tmp";
  Result<ConvertReport> report = convert_floats(o, floats, false);
  if (!report) return report;
  const hearth::Status status = quantize_floats(o, floats);
  std::remove(floats.c_str());
  if (!status) return status.error();
  return report;
}

int convert(const ConvertArguments& o) {
  catch_interrupts();
  const bool as_floats = o.type.empty() || o.type == "keep" || float_type(o.type);
  if (!as_floats && !is_mix(o.type)) {
    return fail_usage("--type: \"" + o.type + "\" is none of keep, f32, f16, bf16, and no mix of hearth quantize");
  }
  const bool is_adapter = hearth_store::fs::exists(hearth_store::path_of(o.input) / "adapter_config.json");
  if (is_adapter && o.base.empty())
    return fail_usage("convert: an adapter needs --base, its model's folder or GGUF file");
  if (is_adapter && !as_floats) return fail_usage("convert: adapters are of floats: f32, f16 or bf16");
  if (!is_adapter && !o.base.empty()) return fail_usage("convert: --base is for adapters");
  const Result<ConvertReport> report =
      as_floats ? convert_floats(o, o.output, !o.no_checksums) : convert_and_quantize(o);
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
  options.add("--type", values->type,
              "Type of the matrices: f32, f16, bf16, or a mix such as q8_0 or q4_k_m (keep: that of the input)");
  options.add("--base", values->base, "Of an adapter: folder of the model that it was trained for, or its GGUF file");
  options.add("--pre", values->pre, "Name of the pre-tokenizer, where its rules are not recognized");
  options.add("--no-checksums", values->no_checksums, "Leave out the checksums of tensors (see hearth verify)");
  return [values] { return convert(*values); };
}

}  // namespace hearth_tool
