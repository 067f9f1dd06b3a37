// hearth inspect: what a model file holds, and the memory that a run will take.
#include <cstdio>
#include <map>
#include <memory>

#include "../store/fit.h"
#include "../store/store.h"
#include "available_memory.h"
#include "commands.h"
#include "hearth/gguf.h"
#include "json_output.h"
#include "model_options.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

using hearth::GgufFile;
using hearth::GgufTensor;
using hearth::GgufType;
using hearth::GgufValue;
using hearth::MemoryPlan;

struct InspectOptions {
  std::string model;
  bool json = false, tensors = false, plan = false, full = false, fit = false;
  int32_t n_seqs = 1;
  SessionSettings session;
};

/// Array elements shown without --full.
constexpr uint64_t kShownElements = 8;

Json scalar_to_json(const GgufValue& value) {
  switch (value.type()) {
    case GgufType::kString: return std::string(*value.as_string());
    case GgufType::kBool: return *value.as_bool();
    case GgufType::kFloat32:
    case GgufType::kFloat64: return *value.as_float();
    case GgufType::kUint64:
      if (const auto n = value.as_int(); !n) return n.error().message;  // above the signed range
      [[fallthrough]];
    default: return *value.as_int();
  }
}

Json to_json(const GgufValue& value, bool full) {
  if (value.type() != GgufType::kArray) return scalar_to_json(value);
  Json list = Json::array();
  const auto elements = value.size() <= kShownElements || full ? value.as_array() : hearth::Error{};
  if (!elements) {
    return {{"array_of", hearth::gguf_type_name(value.element_type())}, {"count", value.size()}};
  }
  for (const GgufValue& element : *elements) list.push_back(to_json(element, full));
  return list;
}

Json to_json(const GgufTensor& t) {
  Json dims = Json::array();
  for (uint32_t i = 0; i < t.n_dims; ++i) dims.push_back(t.dims[i]);
  return {{"name", std::string(t.name)},
          {"type", hearth::tensor_type_info(t.type)->name},
          {"dims", dims},
          {"bytes", t.size_bytes},
          {"offset", t.file_offset},
          {"shard", t.shard}};
}

struct TypeTotal {
  int64_t n_tensors = 0, n_elements = 0;
  uint64_t bytes = 0;
};

std::map<std::string, TypeTotal> totals_by_type(const GgufFile& file) {
  std::map<std::string, TypeTotal> totals;
  for (const GgufTensor& t : file.tensors()) {
    TypeTotal& total = totals[hearth::tensor_type_info(t.type)->name];
    ++total.n_tensors;
    total.n_elements += t.n_elements;
    total.bytes += t.size_bytes;
  }
  return totals;
}

Json describe_model(const hearth::ModelInfo& m) {
  Json model = {{"architecture", m.architecture},
                {"name", m.name},
                {"quantization", m.quantization},
                {"parameters", m.n_parameters},
                {"layers", m.n_layers},
                {"d_model", m.d_model},
                {"d_ff", m.d_ff},
                {"heads", m.n_heads},
                {"kv_heads", m.n_kv_heads},
                {"head_dim", m.head_dim},
                {"vocabulary", m.n_vocab},
                {"context_trained", m.n_ctx_train}};
  if (m.n_experts > 0) {
    model["experts"] = m.n_experts;
    model["experts_used"] = m.n_experts_used;
  }
  if (m.has_mtp) model["mtp"] = true;
  return model;
}

Json describe_file(const GgufFile& file) {
  Json types = Json::object();
  int64_t n_elements = 0;
  for (const auto& [name, total] : totals_by_type(file)) {
    types[name] = {{"tensors", total.n_tensors}, {"elements", total.n_elements}, {"bytes", total.bytes}};
    n_elements += total.n_elements;
  }
  return {{"files", file.shard_paths()},
          {"file_bytes", file.file_bytes()},
          {"gguf_version", file.version()},
          {"alignment", file.alignment()},
          {"tensors", file.tensors().size()},
          {"elements", n_elements},
          {"types", types}};
}

Json describe_plan(const MemoryPlan& plan, const hearth::SessionOptions& options) {
  return {{"context", options.n_ctx},
          {"weights_bytes", plan.weights_bytes},
          {"kv_cache_bytes", plan.kv_cache_bytes},
          {"scratch_bytes", plan.scratch_bytes},
          {"tables_bytes", plan.tables_bytes},
          {"adapter_bytes", plan.adapter_bytes},
          {"process_bytes", plan.process_bytes},
          {"total_bytes", plan.total()}};
}

/// Six digits, as a float32 of a file has them: 0.7, not 0.699999988079071.
std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// "key  value" lines of an object of scalars.
void print_fields(const Json& object, const char* indent) {
  for (const auto& [key, value] : object.items()) {
    std::string text;
    if (value.is_string()) {
      text = value.get<std::string>();
      text = printable(text, false, 100);
    } else if (value.is_object() && value.contains("array_of")) {
      text = "[" + std::to_string(value["count"].get<uint64_t>()) + " x " + value["array_of"].get<std::string>() + "]";
    } else {
      text = printable(value.is_number_float() ? short_number(value)
                                               : value.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    char line[160];
    std::snprintf(line, sizeof(line), "%s%-44s ", indent, printable(key, false, 100).c_str());
    print(line + text + "\n");
  }
}

void print_types(const Json& types) {
  print("types\n");
  for (const auto& [name, total] : types.items()) {
    char line[160];
    std::snprintf(line, sizeof(line), "  %-8s %5lld tensors  %16s elements  %10s\n", name.c_str(),
                  static_cast<long long>(total["tensors"].get<int64_t>()),
                  format_count(total["elements"].get<int64_t>()).c_str(),
                  format_bytes(total["bytes"].get<uint64_t>()).c_str());
    print(line);
  }
}

void print_tensors(const GgufFile& file) {
  print("tensors\n");
  for (const GgufTensor& t : file.tensors()) {
    std::string dims;
    for (uint32_t i = 0; i < t.n_dims; ++i) {
      if (i > 0) dims += " x ";
      dims += std::to_string(t.dims[i]);
    }
    char line[512];
    std::snprintf(line, sizeof(line), "  %-40.200s %-8s %-24s %14llu bytes at %llu\n",
                  printable(t.name, false, 200).c_str(), hearth::tensor_type_info(t.type)->name, dims.c_str(),
                  static_cast<unsigned long long>(t.size_bytes), static_cast<unsigned long long>(t.file_offset));
    print(line);
  }
}

void print_plan(const Json& plan) {
  print("memory plan for a context of " + plan["context"].dump() + "\n");
  for (const char* part : {"weights", "kv_cache", "scratch", "tables", "adapter", "process", "total"}) {
    const uint64_t bytes = plan[std::string(part) + "_bytes"];
    if (bytes == 0 && std::string_view(part) == "adapter") continue;
    char line[120];
    std::snprintf(line, sizeof(line), "  %-10s %16s bytes  %10s\n", part,
                  format_count(static_cast<int64_t>(bytes)).c_str(), format_bytes(bytes).c_str());
    print(line);
  }
  const uint64_t available = plan["available_bytes"], total = plan["total_bytes"];
  if (available > 0) {
    print(std::string(total <= available ? "fits: " : "does not fit: ") + format_bytes(available) +
          " of memory are free\n");
  }
}

/// Fills report["plan"] for the context that is asked for, or that a run would choose by itself.
hearth::Status add_plan(Json& report, const InspectOptions& o, const hearth::Model& model, const NamedModel& named) {
  auto options = o.session.resolve();
  if (!options) return options.error();
  if (auto status = load_adapters(named, model, *options); !status) return status;
  if (auto status = o.session.adapters.load(model, *options); !status) return status;
  options->n_seqs = o.n_seqs;
  choose_context(model, *options);
  const auto plan = model.plan(*options);
  if (!plan) return plan.error();
  report["plan"] = describe_plan(*plan, *options);
  report["plan"]["available_bytes"] = available_memory();
  return {};
}

/// Whether it fits this machine, with the context that is asked for or the trained one.
void add_fit(Json& report, const InspectOptions& o, const std::string& path) {
  const auto options = o.session.resolve();
  if (!options) return;
  hearth::SessionOptions session = *options;
  session.n_seqs = o.n_seqs;
  const double speed = hearth_store::read_speed(hearth_store::Store::standard().own());
  const auto fit = hearth_store::find_fit(path, session, hearth_store::available_memory(), speed);
  report["fit"] = {{"verdict", hearth_store::verdict_name(fit.verdict)},
                   {"text", hearth_store::verdict_text(fit)},
                   {"context", fit.context},
                   {"kv_type", hearth::kv_type_name(fit.kv_type)},
                   {"bytes", fit.bytes},
                   {"available", fit.available},
                   {"tokens_per_second", fit.tokens_per_second}};
}

void print_fit(const Json& fit) {
  print(fit["text"].get<std::string>() + "\n");
  char line[120];
  std::snprintf(line, sizeof line, "  %s with a context of %d, %s are free; about %.1f tokens/s expected\n",
                format_bytes(fit["bytes"].get<uint64_t>()).c_str(), fit["context"].get<int32_t>(),
                format_bytes(fit["available"].get<uint64_t>()).c_str(), fit["tokens_per_second"].get<double>());
  if (fit["verdict"] != "unknown") print(line);
}

void print_report(const Json& report, const GgufFile& file, const InspectOptions& o) {
  print("file\n");
  Json fields = report["file"];
  fields.erase("types");
  fields["file_bytes"] = format_bytes(file.file_bytes()) + " (" + std::to_string(file.file_bytes()) + " bytes)";
  print_fields(fields, "  ");
  print("model\n");
  if (report.contains("model")) {
    print_fields(report["model"], "  ");
  } else {
    print("  cannot be run: " + printable(report["model_error"].get<std::string>()) + "\n");
  }
  if ((!o.plan && !o.fit) || o.full) {
    print_types(report["file"]["types"]);
    print("metadata\n");
    print_fields(report["metadata"], "  ");
  }
  if (o.tensors) print_tensors(file);
  if (report.contains("plan")) print_plan(report["plan"]);
  if (report.contains("fit")) print_fit(report["fit"]);
}

int inspect(const InspectOptions& o) {
  const auto named = find_model(o.model);
  if (!named) return fail(named.error());
  const auto model = hearth::Model::open(named->path);
  const auto file = model ? hearth::Result<GgufFile>(model->file()) : GgufFile::open(named->path);
  if (!file) return fail(file.error());
  Json report = {{"file", describe_file(*file)}};
  if (model) {
    report["model"] = describe_model(model->info());
  } else {
    report["model_error"] = model.error().message;  // the file may still be of interest
  }
  Json metadata = Json::object();
  for (const hearth::GgufEntry& entry : file->entries()) {
    metadata[std::string(entry.key)] = to_json(entry.value, o.full);
  }
  report["metadata"] = std::move(metadata);
  if (o.tensors && o.json) {
    for (const GgufTensor& t : file->tensors()) report["tensors"].push_back(to_json(t));
  }
  if (o.plan && !model) return fail(model.error());
  if (o.plan) {
    if (auto status = add_plan(report, o, *model, *named); !status) return fail_usage(status.error().message);
  }
  if (o.fit) add_fit(report, o, named->path);
  if (o.json) {
    print_json(report);
  } else {
    print_report(report, *file, o);
  }
  return finish_output();
}

}  // namespace

Action setup_inspect(Options& options) {
  auto values = std::make_shared<InspectOptions>();
  options.add("model,-m,--model", values->model, "!GGUF file, or a name of hearth list");
  options.add("--json", values->json, "Print one JSON object");
  options.add("--tensors", values->tensors, "List every tensor");
  options.add("--full", values->full, "Show long arrays in full");
  options.add("--plan", values->plan, "Show the bytes that a run will take");
  options.add("--fit", values->fit, "Say whether it fits this machine, how, and how fast it should be");
  options.add("--seqs", values->n_seqs, "Sequences of the plan");
  values->session.declare(options);
  return [values] { return inspect(*values); };
}

}  // namespace hearth_tool
