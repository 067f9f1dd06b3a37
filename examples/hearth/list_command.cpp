// hearth list and hearth show: the models that are here, and what a name stands for.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>

#include "../store/fit.h"
#include "../store/machine.h"
#include "../store/model_template.h"
#include "../store/modelfile.h"
#include "../store/system.h"
#include "commands.h"
#include "json_output.h"
#include "model_names.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

using hearth_store::Entry;

struct ListOptions {
  std::string filter;
  bool json = false, fit = false;
};

/// "3 days ago"
std::string age_of(int64_t modified) {
  const int64_t seconds = std::max<int64_t>(std::time(nullptr) - modified, 0);
  static constexpr std::pair<int64_t, const char*> kUnits[] = {
      {365 * 86400, "year"}, {30 * 86400, "month"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}};
  for (const auto& [unit, name] : kUnits) {
    if (seconds < unit) continue;
    const int64_t n = seconds / unit;
    return std::to_string(n) + " " + name + (n == 1 ? "" : "s") + " ago";
  }
  return "just now";
}

Json entry_json(const Entry& entry) {
  return {{"name", entry.id.text()},    {"path", entry.path},     {"size", entry.bytes},
          {"modified", entry.modified}, {"digest", entry.digest}, {"store", hearth_store::origin_name(entry.origin)},
          {"also", entry.also}};
}

Json fit_json(const hearth_store::Fit& fit) {
  Json out = {{"verdict", hearth_store::verdict_name(fit.verdict)},
              {"context", fit.context},
              {"kv_type", hearth::kv_type_name(fit.kv_type)},
              {"bytes", fit.bytes},
              {"available", fit.available},
              {"tokens_per_second", fit.tokens_per_second}};
  if (!fit.why.empty()) out["why"] = fit.why;
  return out;
}

std::string fit_text(const hearth_store::Fit& fit) {
  char speed[48] = "";
  const bool runs =
      fit.verdict == hearth_store::Fit::Verdict::kFits || fit.verdict == hearth_store::Fit::Verdict::kReduced;
  if (runs && fit.tokens_per_second > 0)
    std::snprintf(speed, sizeof speed, ", about %.*f tokens/s", fit.tokens_per_second < 10 ? 1 : 0,
                  fit.tokens_per_second);
  return hearth_store::verdict_text(fit) + speed;
}

void print_model_row(const std::string& name, const std::string& size, const std::string& age, const std::string& store,
                     size_t width) {
  const auto filled = [](std::string text, size_t to) {
    while (static_cast<size_t>(cells_of(from_utf8(text))) < to) text += ' ';
    return text;
  };
  print(filled(printable(name, false, 80), width + 2) + filled(size, 12) + filled(age, 16) + store + "\n");
}

int list(const ListOptions& o) {
  auto listing = hearth_store::Store::standard().list();
  const std::string filter = hearth_store::lower_case(o.filter);
  const auto is_wanted = [&](const std::string& name) {
    return hearth_store::lower_case(name).find(filter) != std::string::npos;
  };
  std::erase_if(listing.entries, [&](const Entry& entry) { return !is_wanted(entry.id.text()); });
  std::erase_if(listing.problems, [&](const auto& problem) { return !is_wanted(problem.name); });
  std::stable_sort(listing.entries.begin(), listing.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.modified > b.modified; });
  double speed = 0;
  if (o.fit && !listing.entries.empty()) {
    Progress progress("measuring memory");
    speed = hearth_store::read_speed(hearth_store::Store::standard().own());
  }
  const auto fit_of = [&](const Entry& entry) {
    return hearth_store::find_fit(entry.path, {}, hearth_store::available_memory(), speed);
  };
  if (o.json) {
    Json report = {{"models", Json::array()}, {"problems", Json::array()}};
    for (const Entry& entry : listing.entries) {
      report["models"].push_back(entry_json(entry));
      if (o.fit) report["models"].back()["fit"] = fit_json(fit_of(entry));
    }
    for (const auto& problem : listing.problems)
      report["problems"].push_back({{"name", problem.name}, {"error", problem.error.message}});
    print_json(report);
    return finish_output();
  }
  size_t width = 4;
  for (const Entry& entry : listing.entries) width = std::max(width, std::min<size_t>(entry.id.text().size(), 80));
  if (!listing.entries.empty()) print_model_row("NAME", "SIZE", "MODIFIED", o.fit ? "FIT" : "STORE", width);
  for (const Entry& entry : listing.entries) {
    print_model_row(entry.id.text(), format_bytes(entry.bytes), age_of(entry.modified),
                    o.fit ? printable(fit_text(fit_of(entry)), false, 100) : hearth_store::origin_name(entry.origin),
                    width);
  }
  for (const auto& problem : listing.problems) show_warning(problem.name + ": " + problem.error.message);
  if (listing.entries.empty()) {
    show_warning("there are no models here yet. hearth pull fetches one, hearth import FILE takes one in");
  }
  return finish_output();
}

struct ShowOptions {
  std::string name;
  bool json = false, modelfile = false, templates = false, system = false, parameters = false, license = false;
};

Json show_json(const Entry& entry, const hearth_store::ModelFacts& facts, const hearth_store::TemplateChoice& choice) {
  Json out = entry_json(entry);
  out["architecture"] = facts.architecture;
  out["parameter_size"] = facts.parameter_size();
  out["quantization"] = facts.quantization;
  out["context_length"] = facts.n_ctx_train;
  out["embedding_length"] = facts.d_model;
  out["capabilities"] = choice.capabilities;
  out["adapters"] = entry.adapters;
  out["parameters"] = entry.parameters;
  out["system"] = entry.system;
  out["messages"] = entry.messages;
  out["template"] = choice.shown;
  out["license"] = entry.license;
  return out;
}

void print_text(const std::string& text) {
  if (text.empty()) return;
  print_foreign(text);
  if (text.back() != '\n') print("\n");
}

void print_entry(const Entry& entry, const hearth_store::ModelFacts& facts,
                 const hearth_store::TemplateChoice& choice) {
  const auto line = [](const char* name, const std::string& value) {
    char text[32];
    std::snprintf(text, sizeof text, "  %-16s ", name);
    if (!value.empty()) print(text + printable(value, false, 120) + "\n");
  };
  print(printable(entry.id.text(), false, 120) + "\n");
  line("architecture", facts.architecture);
  line("parameters", facts.parameter_size());
  line("quantization", facts.quantization);
  line("context", facts.n_ctx_train > 0 ? std::to_string(facts.n_ctx_train) : "");
  line("embedding", facts.d_model > 0 ? std::to_string(facts.d_model) : "");
  line("size", format_bytes(entry.bytes));
  line("store", hearth_store::origin_name(entry.origin));
  line("file", entry.path);
  for (const std::string& adapter : entry.adapters) line("adapter", adapter);
  std::string list;
  for (const std::string& one : choice.capabilities) list += (list.empty() ? "" : ", ") + one;
  line("capabilities", list);
  line("made from", entry.parent);
  if (!entry.parameters.empty()) {
    print("parameters\n");
    for (const auto& [name, value] : entry.parameters.items())
      line(name.c_str(), value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  if (!entry.system.empty()) {
    print("system\n");
    print_text(entry.system);
  }
  if (!entry.license.empty()) line("license", entry.license.substr(0, entry.license.find('\n')));
}

int show(const ShowOptions& o) {
  const auto store = hearth_store::Store::standard();
  auto entry = store.find(o.name);
  std::error_code error;
  if (!entry && hearth_store::fs::is_regular_file(hearth_store::path_of(o.name), error)) {
    Entry file;
    file.id = hearth_store::name_of_file(hearth_store::path_of(o.name));
    file.path = o.name;
    file.bytes = hearth_store::fs::file_size(hearth_store::path_of(o.name), error);
    entry = std::move(file);
  }
  if (!entry) return fail(entry.error());
  const auto facts = hearth_store::read_facts(entry->path);
  const auto choice = hearth_store::choose_template(*entry, facts);
  if (o.json) {
    print_json(show_json(*entry, facts, choice));
  } else if (o.modelfile) {
    print_text(hearth_store::modelfile_text(*entry));
  } else if (o.templates) {
    print_text(choice.shown);
  } else if (o.system) {
    print_text(entry->system);
  } else if (o.parameters) {
    print_text(hearth_store::parameters_text(entry->parameters));
  } else if (o.license) {
    print_text(entry->license);
  } else {
    print_entry(*entry, facts, choice);
  }
  return finish_output();
}

}  // namespace

Action setup_list(Options& options) {
  auto values = std::make_shared<ListOptions>();
  options.add("filter", values->filter, "Show only names that contain this");
  options.add("--fit", values->fit, "Say whether each fits this machine, how, and how fast it should be");
  options.add("--json", values->json, "Print one JSON object: models, problems");
  options.footer(
      "Models of hearth's own folder (HEARTH_MODELS, or ~/.hearth/models), and those that Ollama, LM Studio and\n"
      "programs of Hugging Face have fetched, where they lie. Each is shown once.");
  return [values] { return list(*values); };
}

Action setup_show(Options& options) {
  auto values = std::make_shared<ShowOptions>();
  options.add("name", values->name, "!Name of a model");
  options.add("--json", values->json, "Print one JSON object");
  options.add("--modelfile", values->modelfile, "Print the definition that would make it");
  options.add("--template", values->templates, "Print the template that conversations are rendered with");
  options.add("--system", values->system, "Print the system text");
  options.add("--parameters", values->parameters, "Print the parameters");
  options.add("--license", values->license, "Print the license");
  return [values] { return show(*values); };
}

}  // namespace hearth_tool
