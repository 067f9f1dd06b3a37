// hearth compare: what a quantization cost, by type and by tensor.
#include "hearth/compare.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "commands.h"
#include "compare_svg.h"
#include "json_output.h"
#include "output_file.h"

namespace hearth_tool {
namespace {

using hearth::FileComparison;
using hearth::GgufFile;
using hearth::TensorDifference;

struct CompareArguments {
  std::string a, b, svg;
  bool json = false, tensors = false;
  int32_t n_threads = 0;
};

std::string type_name(hearth::TensorType type) {
  const auto* info = hearth::tensor_type_info(type);
  return info != nullptr ? info->name : "?";
}

/// Tensors of one pair of types added up.
struct TypeRow {
  TensorDifference sum;
  int64_t n_tensors = 0;
};

std::map<std::string, TypeRow> by_type(const FileComparison& comparison) {
  std::map<std::string, TypeRow> rows;
  for (const TensorDifference& t : comparison.tensors) {
    TypeRow& row = rows[type_name(t.type_a) + " -> " + type_name(t.type_b)];
    ++row.n_tensors;
    row.sum.n_elements += t.n_elements;
    row.sum.bytes_a += t.bytes_a;
    row.sum.bytes_b += t.bytes_b;
    row.sum.squared_error += t.squared_error;
    row.sum.squared_values += t.squared_values;
    row.sum.largest_error = std::max(row.sum.largest_error, t.largest_error);
  }
  return rows;
}

std::string table_line(const std::string& label, const std::string& count, const TensorDifference& t) {
  char text[256];
  std::snprintf(text, sizeof(text), "%-34s %7s %11s %11s %12.4g %10.6f %12.4g\n", label.c_str(), count.c_str(),
                format_bytes(t.bytes_a).c_str(), format_bytes(t.bytes_b).c_str(), t.rmse(), t.relative_error(),
                t.largest_error);
  return text;
}

std::string to_text(const FileComparison& comparison, bool with_tensors) {
  char head[256];
  std::snprintf(head, sizeof(head), "%-34s %7s %11s %11s %12s %10s %12s\n", "types", "tensors", "bytes", "of second",
                "RMSE", "relative", "largest");
  std::string out = head;
  TypeRow all;
  for (const auto& [types, row] : by_type(comparison)) {
    out += table_line(types, std::to_string(row.n_tensors), row.sum);
    all.n_tensors += row.n_tensors;
    all.sum.n_elements += row.sum.n_elements;
    all.sum.bytes_a += row.sum.bytes_a;
    all.sum.bytes_b += row.sum.bytes_b;
    all.sum.squared_error += row.sum.squared_error;
    all.sum.squared_values += row.sum.squared_values;
    all.sum.largest_error = std::max(all.sum.largest_error, row.sum.largest_error);
  }
  out += table_line("all", std::to_string(all.n_tensors), all.sum);
  for (const TensorDifference& t : comparison.tensors) {
    if (with_tensors) out += table_line(t.name, type_name(t.type_b), t);
  }
  const struct {
    const char* what;
    const std::vector<std::string>& names;
  } lists[] = {{"only in the first", comparison.only_a},
               {"only in the second", comparison.only_b},
               {"of another shape", comparison.other_shape},
               {"metadata that differs", comparison.keys}};
  for (const auto& list : lists) {
    if (list.names.empty()) continue;
    out += std::string(list.what) + ":";
    for (const std::string& name : list.names) out += " " + name;
    out += "\n";
  }
  return out;
}

Json to_json(const TensorDifference& t) {
  return {{"bytes_a", t.bytes_a},
          {"bytes_b", t.bytes_b},
          {"elements", t.n_elements},
          {"rmse", t.rmse()},
          {"relative_error", t.relative_error()},
          {"largest_error", t.largest_error}};
}

Json to_json(const FileComparison& comparison) {
  Json types = Json::object(), tensors = Json::array();
  for (const auto& [name, row] : by_type(comparison)) {
    types[name] = to_json(row.sum);
    types[name]["tensors"] = row.n_tensors;
  }
  for (const TensorDifference& t : comparison.tensors) {
    Json json = {{"name", t.name},
                 {"type_a", type_name(t.type_a)},
                 {"type_b", type_name(t.type_b)},
                 {"same_bytes", t.same_bytes}};
    json.update(to_json(t));
    tensors.push_back(std::move(json));
  }
  return {{"types", types},
          {"tensors", tensors},
          {"only_a", comparison.only_a},
          {"only_b", comparison.only_b},
          {"other_shape", comparison.other_shape},
          {"metadata", comparison.keys}};
}

hearth::Status write_svg(const std::string& path, const std::string& svg) {
  OutputFile out;
  hearth::Status status = out.open(path);
  if (status) status = out.write(std::as_bytes(std::span(svg)));
  return status ? out.commit() : status;
}

int compare(const CompareArguments& o) {
  catch_interrupts();
  const auto a = GgufFile::open(o.a);
  if (!a) return fail(a.error());
  const auto b = GgufFile::open(o.b);
  if (!b) return fail(b.error());
  Progress progress("comparing");
  const auto comparison = hearth::compare_files(*a, *b,
                                                {.n_threads = o.n_threads,
                                                 .on_progress =
                                                     [&](uint64_t done, uint64_t total) {
                                                       progress.update(done, total);
                                                       return true;
                                                     },
                                                 .cancel = interrupt_flag()});
  progress.clear();
  if (!comparison) return interrupted() ? fail_interrupted() : fail(comparison.error());
  if (!o.svg.empty()) {
    if (auto written = write_svg(o.svg, comparison_svg(*comparison, o.a + " and " + o.b)); !written)
      return fail(written.error());
  }
  if (o.json) {
    print_json(to_json(*comparison));
  } else {
    print(to_text(*comparison, o.tensors));
  }
  return finish_output();
}

}  // namespace

Action setup_compare(Options& options) {
  auto values = std::make_shared<CompareArguments>();
  options.add("a", values->a, "!GGUF file, the one that counts as right");
  options.add("b", values->b, "!GGUF file to compare with it");
  options.add("--tensors", values->tensors, "A line for every tensor, too");
  options.add("--svg", values->svg, "Write a picture of the relative errors, by kind of tensor and layer");
  options.add("--json", values->json, "Print a JSON object");
  options.add("-t,--threads", values->n_threads, "Threads (0: the physical cores that this process may use)");
  return [values] { return compare(*values); };
}

}  // namespace hearth_tool
