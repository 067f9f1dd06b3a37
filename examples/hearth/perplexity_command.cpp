// hearth perplexity: how well a model predicts a text, and how far it is from a base model.
#include <cstdio>
#include <memory>
#include <optional>

#include "commands.h"
#include "json_output.h"
#include "measure_options.h"

namespace hearth_tool {
namespace {

using hearth::Divergence;
using hearth::Estimate;
using hearth::Model;
using hearth::Percentile;
using hearth::PerplexityReport;
using hearth::Result;

struct PerplexityArguments {
  std::string model, text, save_logits, kld, base;
  bool json = false;
  MeasureSettings run;
};

std::string line(const char* label, const Estimate& e, double factor = 1) {
  char text[128];
  std::snprintf(text, sizeof(text), "%-28s %11.6f +- %.6f\n", label, e.value * factor, e.error * factor);
  return text;
}

std::string line(const char* label, double value) {
  char text[128];
  std::snprintf(text, sizeof(text), "%-28s %11.6f\n", label, value);
  return text;
}

std::string percentile_lines(const char* what, const std::vector<Percentile>& percentiles, double factor) {
  std::string out;
  for (const Percentile& p : percentiles) {
    char label[64];
    std::snprintf(label, sizeof(label), "%s, percentile %g", what, p.percent);
    out += line(label, p.value * factor);
  }
  return out;
}

std::string to_text(const PerplexityReport& report) {
  std::string out = std::to_string(report.n_chunks) + " chunks of " + std::to_string(report.n_chunks_total) + ", " +
                    format_count(report.n_scored) + " scored tokens\n";
  out += line("perplexity", report.perplexity);
  if (!report.divergence) return out;
  const Divergence& d = *report.divergence;
  out += line("perplexity of the base", d.base_perplexity);
  out += line("ln(perplexity / base's)", d.ln_ratio);
  out += line("correlation of the losses", d.correlation);
  out += line("KL divergence", d.kld);
  out += percentile_lines("KL divergence", d.kld_percentiles, 1);
  out += line("same top token, percent", d.same_top, 100);
  out += line("change of p, percent", d.dp, 100);
  out += line("change of p, RMS, percent", d.dp_rms, 100);
  out += percentile_lines("change of p", d.dp_percentiles, 100);
  return out;
}

Json to_json(const Estimate& e) {
  return {{"value", e.value}, {"error", e.error}};
}

Json to_json(const std::vector<Percentile>& percentiles) {
  Json list = Json::array();
  for (const Percentile& p : percentiles) list.push_back({{"percent", p.percent}, {"value", p.value}});
  return list;
}

Json to_json(const PerplexityReport& report) {
  Json json = {{"chunks", report.n_chunks},
               {"chunks_total", report.n_chunks_total},
               {"scored", report.n_scored},
               {"nll", to_json(report.nll)},
               {"perplexity", to_json(report.perplexity)}};
  if (!report.divergence) return json;
  const Divergence& d = *report.divergence;
  json["divergence"] = {{"base_perplexity", to_json(d.base_perplexity)},
                        {"ln_ratio", to_json(d.ln_ratio)},
                        {"correlation", d.correlation},
                        {"kld", to_json(d.kld)},
                        {"kld_percentiles", to_json(d.kld_percentiles)},
                        {"same_top", to_json(d.same_top)},
                        {"dp", to_json(d.dp)},
                        {"dp_rms", to_json(d.dp_rms)},
                        {"dp_percentiles", to_json(d.dp_percentiles)}};
  return json;
}

std::string so_far(const PerplexityReport& report) {
  char text[96];
  if (report.divergence) {
    std::snprintf(text, sizeof(text), "perplexity %.4f, KL divergence %.6f", report.perplexity.value,
                  report.divergence->kld.value);
  } else {
    std::snprintf(text, sizeof(text), "perplexity %.4f +- %.4f", report.perplexity.value, report.perplexity.error);
  }
  return text;
}

Result<PerplexityReport> measure(const PerplexityArguments& o, const Model& model, const Model* base) {
  const auto run = o.run.resolve();
  if (!run) return run.error();
  Result<std::string> text = o.text.empty() ? Result<std::string>(std::string()) : read_text(o.text);
  if (!text) return text.error();
  Progress progress("computing");
  return hearth::measure_perplexity(model, *text,
                                    {.run = *run,
                                     .base = base,
                                     .base_logits = o.kld,
                                     .save_logits = o.save_logits,
                                     .on_progress = [&](const PerplexityReport& report) {
                                       progress.update(static_cast<uint64_t>(report.n_chunks),
                                                       static_cast<uint64_t>(report.n_chunks_total), so_far(report));
                                       return true;
                                     }});
}

int perplexity(const PerplexityArguments& o) {
  if (o.text.empty() && o.kld.empty())
    return fail_usage("perplexity: give a text file (or --kld FILE, which holds it)");
  catch_interrupts();
  const auto model = load_model(o.model);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  std::optional<Model> base;
  if (!o.base.empty()) {
    auto opened = load_model(o.base);
    if (!opened) return interrupted() ? fail_interrupted() : fail(opened.error());
    base = *std::move(opened);
  }
  const auto report = measure(o, *model, base ? &*base : nullptr);
  if (!report) return interrupted() ? fail_interrupted() : fail(report.error());
  if (o.json) {
    print_json(to_json(*report));
  } else {
    print(to_text(*report));
  }
  if (!interrupted()) return finish_output();
  return finish_output(fail_interrupted(o.save_logits.empty() ? "" : "; nothing was written to " + o.save_logits));
}

}  // namespace

Action setup_perplexity(Options& options) {
  auto values = std::make_shared<PerplexityArguments>();
  options.add("model", values->model, "!GGUF file");
  options.add("text", values->text, "Text file (-: standard input)");
  options.add("--base", values->base, "Compare with this model (the unquantized one), computed beside it");
  options.add("--save-logits", values->save_logits, "Write this model's predictions, for --kld");
  options.add("--kld", values->kld, "Compare with what --save-logits wrote, or llama.cpp's --kl-divergence-base");
  options.add("--json", values->json, "Print a JSON object");
  values->run.declare(options);
  options.footer("The second half of every chunk is scored. Ctrl-C ends the run with the values so far.");
  return [values] { return perplexity(*values); };
}

}  // namespace hearth_tool
