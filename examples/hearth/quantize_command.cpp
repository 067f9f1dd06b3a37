// hearth quantize: a smaller file of a model.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "hearth/model.h"
#include "hearth/quantizer.h"
#include "hearth/session.h"
#include "json_output.h"

namespace hearth_tool {
namespace {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::TensorPlan;

struct QuantizeSettings {
  std::string input, output, type;
  std::string imatrix, output_type, embedding_type, size_target, split_size;
  std::vector<std::string> tensor_types;
  int32_t n_threads = 0;
  std::string memory;
  int32_t n_ctx = 4096;
  bool pure = false, requantize = false, keep_output = false, merge = false, dry_run = false, json = false;
  bool advise = false;
};

Error bad(const std::string& message) {
  return Error{ErrorCode::kInvalidArgument, "quantize: " + message};
}

/// "4.5G", "700M", "123456": decimal units.
Result<uint64_t> parse_size(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  double unit = 1;
  if (*end == 'k' || *end == 'K') unit = 1e3;
  if (*end == 'M') unit = 1e6;
  if (*end == 'G') unit = 1e9;
  if (*end == 'T') unit = 1e12;
  if (unit > 1) ++end;
  if (*end == 'B') ++end;
  if (end == text.c_str() || *end != '\0' || !(value > 0) || !(value * unit < 1e18)) {
    return bad(option + " is '" + text + "', not a size such as 4.5G");
  }
  return static_cast<uint64_t>(value * unit);
}

Result<hearth::QuantizeOptions> resolve(const QuantizeSettings& s) {
  hearth::QuantizeOptions options;
  options.type = s.type.empty() && s.merge ? "COPY" : s.type;
  options.pure = s.pure;
  options.requantize = s.requantize;
  options.keep_output = s.keep_output;
  options.n_threads = s.n_threads;
  if (options.type.empty() && s.size_target.empty() && !s.advise) return bad("a type is needed, for instance Q4_K_M");
  if (s.merge && !s.split_size.empty()) return bad("--merge and --split-max-size exclude each other");
  for (const auto& [text, type] :
       {std::pair(&s.output_type, &options.output_type), std::pair(&s.embedding_type, &options.embedding_type)}) {
    if (text->empty()) continue;
    const auto parsed = hearth::parse_tensor_type(*text);
    if (!parsed) return bad(parsed.error().message);
    *type = *parsed;
  }
  for (const std::string& one : s.tensor_types) {
    const size_t equals = one.rfind('=');
    if (equals == std::string::npos || equals == 0) return bad("--tensor-type is '" + one + "', not REGEX=TYPE");
    const auto parsed = hearth::parse_tensor_type(one.substr(equals + 1));
    if (!parsed) return bad(parsed.error().message);
    options.overrides.push_back({one.substr(0, equals), *parsed});
  }
  for (const auto& [name, text, value] : {std::tuple("--size-target", &s.size_target, &options.size_target),
                                          std::tuple("--split-max-size", &s.split_size, &options.split_bytes)}) {
    if (text->empty()) continue;
    const auto parsed = parse_size(name, *text);
    if (!parsed) return parsed.error();
    *value = *parsed;
  }
  return options;
}

/// Rate and time left, behind the percentage.
std::string pace(const hearth::QuantizeProgress& p, double seconds) {
  const double rate = static_cast<double>(p.done_bytes) / std::max(seconds, 1e-3);
  const double left = static_cast<double>(p.total_bytes - p.done_bytes) / std::max(rate, 1.0);
  char text[64];
  std::snprintf(text, sizeof(text), "%s/s, %d:%02d left", format_bytes(static_cast<uint64_t>(rate)).c_str(),
                static_cast<int>(left) / 60, static_cast<int>(left) % 60);
  return text;
}

std::string dims_of(const TensorPlan& p) {
  std::string dims;
  for (uint32_t i = 0; i < p.n_dims; ++i) dims += (i > 0 ? " x " : "") + std::to_string(p.dims[i]);
  return dims;
}

Json to_json(const TensorPlan& p) {
  Json dims = Json::array();
  for (uint32_t i = 0; i < p.n_dims; ++i) dims.push_back(p.dims[i]);
  return {{"name", p.name},
          {"dims", dims},
          {"source", hearth::tensor_type_info(p.source)->name},
          {"target", hearth::tensor_type_info(p.target)->name},
          {"source_bytes", p.source_bytes},
          {"target_bytes", p.target_bytes},
          {"fallback", p.is_fallback}};
}

Json describe(const hearth::Quantizer& quantizer, bool with_tensors) {
  std::map<std::string, std::pair<int64_t, uint64_t>> types;
  uint64_t source_bytes = 0;
  int64_t n_fallbacks = 0;
  for (const TensorPlan& p : quantizer.plan()) {
    auto& [count, bytes] = types[hearth::tensor_type_info(p.target)->name];
    ++count;
    bytes += p.target_bytes;
    source_bytes += p.source_bytes;
    n_fallbacks += p.is_fallback;
  }
  Json report = {{"source_tensor_bytes", source_bytes},
                 {"tensor_bytes", quantizer.target_bytes()},
                 {"fallbacks", n_fallbacks},
                 {"types", Json::object()}};
  for (const auto& [name, total] : types) {
    report["types"][name] = {{"tensors", total.first}, {"bytes", total.second}};
  }
  if (with_tensors) {
    for (const TensorPlan& p : quantizer.plan()) report["tensors"].push_back(to_json(p));
  }
  return report;
}

void print_plan(const hearth::Quantizer& quantizer) {
  for (const TensorPlan& p : quantizer.plan()) {
    char line[400];
    std::snprintf(line, sizeof(line), "  %-40.200s %-22s %-6s -> %-8s %14s%s\n", p.name.c_str(), dims_of(p).c_str(),
                  hearth::tensor_type_info(p.source)->name, hearth::tensor_type_info(p.target)->name,
                  format_count(static_cast<int64_t>(p.target_bytes)).c_str(),
                  p.is_fallback ? " (rows do not fit)" : "");
    print(line);
  }
}

void print_report_summary(const Json& report) {
  for (const auto& [name, total] : report["types"].items()) {
    char line[120];
    std::snprintf(line, sizeof(line), "  %-8s %5lld tensors  %10s\n", name.c_str(),
                  static_cast<long long>(total["tensors"].get<int64_t>()),
                  format_bytes(total["bytes"].get<uint64_t>()).c_str());
    print(line);
  }
  if (const int64_t n = report["fallbacks"]; n > 0) {
    print("  " + std::to_string(n) + " tensors have rows that do not divide by the blocks of their type\n");
  }
}

int finish(const hearth::Quantizer& quantizer, const Result<hearth::QuantizeReport>& done, const QuantizeSettings& s) {
  Json report = describe(quantizer, s.dry_run);
  if (s.dry_run) {
    if (auto status = quantizer.check(); !status) report["refused"] = status.error().message;
  } else {
    report["files"] = done->paths;
    report["file_bytes"] = done->file_bytes;
    report["seconds"] = done->seconds;
  }
  if (s.json) {
    print_json(report);
    return finish_output();
  }
  if (s.dry_run) print_plan(quantizer);
  print_report_summary(report);
  char line[200];
  if (s.dry_run) {
    std::snprintf(line, sizeof(line), "tensors %s -> %s; nothing was written\n",
                  format_bytes(report["source_tensor_bytes"]).c_str(), format_bytes(report["tensor_bytes"]).c_str());
  } else {
    std::snprintf(line, sizeof(line), "%s: %s in %.1f s\n", done->paths.front().substr(0, 120).c_str(),
                  format_bytes(done->file_bytes).c_str(), done->seconds);
  }
  print(line);
  if (report.contains("refused")) show_warning("would be refused: " + report["refused"].get<std::string>());
  return finish_output();
}

/// One line of advice: a mix, and what it costs.
struct Advice {
  std::string type;
  uint64_t file_bytes = 0, total_bytes = 0;
  double error = 0;
  bool fits = false;
};

/// What is offered as advice: the mixes that need no importance matrix, larger ones first.
constexpr const char* kAdvised[] = {"Q8_0",   "Q6_K",   "Q5_K_M", "Q5_K_S", "Q4_K_M",
                                    "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q2_K"};

void print_advice(const std::vector<Advice>& all, const Advice* taken, const QuantizeSettings& s) {
  print("type     size        relative error  memory      fits\n");
  for (const Advice& a : all) {
    char line[160];
    std::snprintf(line, sizeof(line), "%-8s %-11s %6.2f %%        %-11s %s%s\n", a.type.c_str(),
                  format_bytes(a.file_bytes).c_str(), 100 * a.error,
                  a.total_bytes > 0 ? format_bytes(a.total_bytes).c_str() : "unknown", a.fits ? "yes" : "no",
                  &a == taken ? "  <- the best that fits" : "");
    print(line);
  }
  print(
      "relative error: of the matrices, root mean square over them; memory: weights, cache and scratch for a context "
      "of " +
      std::to_string(s.n_ctx) + "\n");
  if (taken == nullptr) print("none of them fits\n");
}

int advise(const QuantizeSettings& s, hearth::QuantizeOptions options) {
  uint64_t memory = UINT64_MAX;
  if (!s.memory.empty()) {
    const auto parsed = parse_size("--memory", s.memory);
    if (!parsed) return fail_usage(parsed.error().message);
    memory = *parsed;
  }
  hearth::SessionOptions session;
  session.n_ctx = s.n_ctx;
  const auto plan = hearth::Model::plan(s.input, session);
  std::vector<Advice> all;
  for (const char* name : kAdvised) {
    options.type = name;
    auto quantizer = hearth::Quantizer::open(s.input, options);
    if (!quantizer) return fail(quantizer.error());
    const auto error = quantizer->measure();
    if (!error && interrupted()) return fail_interrupted();
    if (!error) return fail(error.error());
    Advice& a = all.emplace_back();
    a.type = name;
    a.file_bytes = quantizer->target_bytes();
    a.error = std::sqrt(error->mean_square);
    if (plan) a.total_bytes = plan->total() - plan->weights_bytes + a.file_bytes;
    a.fits = std::max(a.total_bytes, a.file_bytes) <= memory;
  }
  const auto best = std::find_if(all.begin(), all.end(), [](const Advice& a) { return a.fits; });
  const Advice* taken = best != all.end() ? &*best : nullptr;
  if (!s.json) {
    print_advice(all, taken, s);
    return finish_output();
  }
  Json report = {{"context", s.n_ctx}, {"types", Json::array()}};
  for (const Advice& a : all) {
    report["types"].push_back({{"type", a.type},
                               {"tensor_bytes", a.file_bytes},
                               {"relative_error", a.error},
                               {"total_bytes", a.total_bytes},
                               {"fits", a.fits}});
  }
  if (taken != nullptr) report["advice"] = taken->type;
  print_json(report);
  return finish_output();
}

int quantize(const QuantizeSettings& s) {
  Result<hearth::QuantizeOptions> options = resolve(s);
  if (!options) return fail_usage(options.error().message);
  if (s.output.empty() && !s.dry_run && !s.advise)
    return fail_usage("quantize: an output file is needed, or --dry-run");
  std::optional<hearth::ImportanceMatrix> importance;
  if (!s.imatrix.empty()) {
    auto read = hearth::ImportanceMatrix::read(s.imatrix);
    if (!read) return fail(read.error());
    importance = *std::move(read);
    options->importance = &*importance;
    options->importance_file = s.imatrix;
    for (const std::string& warning : importance->warnings()) show_warning(warning);
  }
  catch_interrupts();
  Progress progress("quantizing " + s.input);
  const auto begin = std::chrono::steady_clock::now();
  options->progress = [&](const hearth::QuantizeProgress& p) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    progress.update(p.done_bytes, p.total_bytes, pace(p, seconds));
    return !interrupted();
  };
  if (s.advise) return advise(s, *std::move(options));
  auto quantizer = hearth::Quantizer::open(s.input, *options);
  progress.clear();
  if (!quantizer && interrupted()) return fail_interrupted();
  if (!quantizer) return fail(quantizer.error());
  for (const std::string& warning : quantizer->warnings()) show_warning(warning);
  if (s.dry_run) return finish(*quantizer, Error{}, s);
  const auto done = quantizer->run(s.output);
  progress.clear();
  if (!done && interrupted()) return fail_interrupted("; nothing was written to " + s.output);
  if (!done) return fail(done.error());
  return finish(*quantizer, done, s);
}

std::string joined_mix_names() {
  std::string names;
  for (const char* name : hearth::mix_names()) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

}  // namespace

Action setup_quantize(Options& options) {
  auto values = std::make_shared<QuantizeSettings>();
  static const std::string types = "Mix of types: " + joined_mix_names();
  options.add("input", values->input, "!GGUF file of floats (the first of a split set)");
  options.add("output", values->output, "File to write");
  options.add("type", values->type, types.c_str());
  options.add("--imatrix", values->imatrix, "Importance matrix: where error matters (hearth imatrix makes it)");
  options.add("-t,--threads", values->n_threads, "Threads (0: as many as are worth using)");
  options.add("--tensor-type", values->tensor_types,
              "REGEX=TYPE: type of the tensors whose names match; may be repeated");
  options.add("--output-type", values->output_type, "Type of output.weight");
  options.add("--embedding-type", values->embedding_type, "Type of token_embd.weight");
  options.add("--leave-output", values->keep_output, "Leave output.weight as it is");
  options.add("--pure", values->pure, "Give every matrix the base type of the mix");
  options.add("--requantize", values->requantize, "Take quantized sources, at a loss of quality");
  options.add("--size-target", values->size_target,
              "Size that the file must not exceed (4.5G): types by measured error");
  options.add("--split-max-size", values->split_size, "Write files of at most this size (2G) instead of one");
  options.add("--merge", values->merge, "Write one file; without a type tensors stay as they are");
  options.add("--dry-run", values->dry_run, "Show the types and sizes; write nothing");
  options.add("--advise", values->advise, "Show what types would cost this model, and which fits; write nothing");
  options.add("--memory", values->memory, "Memory that advice has to fit (8G)");
  options.add("-c,--ctx", values->n_ctx, "Context that advice is for");
  options.add("--json", values->json, "Print one JSON object");
  return [values] { return quantize(*values); };
}

}  // namespace hearth_tool
