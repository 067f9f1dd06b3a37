// hearth bench: tokens a second, and how near that is to what the machine can do.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "bench_drafts.h"
#include "bench_measure.h"
#include "commands.h"
#include "hearth/cpu.h"
#include "json_output.h"
#include "model_options.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

using hearth::MachineLimits;
using hearth::Session;
using hearth::Status;

constexpr int32_t kBatchPrompt = 128;  ///< tokens in the cache of each sequence of a -b test
constexpr int32_t kBatchTokens = 32;   ///< that each generates there, unless -n says it

struct BenchOptions {
  ModelSettings model;
  std::vector<int32_t> prompts{512}, generations{128}, depths{0}, sequences, threads{0};
  int32_t repetitions = 5;
  bool json = false;
  DraftSettings drafts;
  std::string text;
  SessionSettings session;
};

/// Encoders write nothing: they have no rows of generation.
std::vector<BenchTest> list_tests(const BenchOptions& o, const hearth::ModelInfo& info) {
  const bool writes = info.causal && info.has_logits;
  std::vector<BenchTest> tests;
  for (int32_t depth : o.depths) {
    const std::string at = depth > 0 ? " @ " + std::to_string(depth) : "";
    for (int32_t n : o.prompts) {
      if (n > 0) tests.push_back({"pp" + std::to_string(n) + at, n, depth, 1, true});
    }
    for (int32_t n : o.generations) {
      if (n > 0 && writes) tests.push_back({"tg" + std::to_string(n) + at, n, depth, 1, false});
    }
  }
  const auto given = std::find_if(o.generations.begin(), o.generations.end(), [](int32_t n) { return n > 0; });
  const int32_t n = given != o.generations.end() ? *given : kBatchTokens;
  for (int32_t n_seqs : o.sequences) {
    if (!writes) break;
    tests.push_back({"tg" + std::to_string(n) + " x " + std::to_string(n_seqs), n, kBatchPrompt, n_seqs, false});
  }
  return tests;
}

/// Prompts are multiplied by matrix tiles where the processor has them.
bool uses_tiles(const BenchMeasurement& m) {
  return m.limits.bf16_gmac_per_s > 0 && m.test.name.starts_with("pp");
}
double peak_of(const BenchMeasurement& m) {
  return uses_tiles(m) ? m.limits.bf16_gmac_per_s : m.limits.int8_gmac_per_s;
}

Json to_json(const BenchMeasurement& m) {
  const BenchStatistics s = statistics(m);
  const double rate = repetitions_per_second(m), gb = m.bytes * rate / 1e9, gmac = m.macs * rate / 1e9;
  const auto fraction = [](double part, double whole) { return whole > 0 ? Json(part / whole) : Json(nullptr); };
  return {{"test", m.test.name},
          {"tokens", m.test.n_tokens},
          {"depth", m.test.depth},
          {"sequences", m.test.n_seqs},
          {"threads", m.n_threads},
          {"seconds", m.seconds},
          {"tokens_per_second", {{"mean", s.mean}, {"sd", s.sd}, {"median", s.median}}},
          {"gb_per_second", gb},
          {"fraction_of_bandwidth", fraction(gb, m.limits.read_gb_per_s)},
          {"gmac_per_second", gmac},
          {uses_tiles(m) ? "fraction_of_bf16_peak" : "fraction_of_int8_peak", fraction(gmac, peak_of(m))}};
}

std::string percent(double part, double whole) {
  if (whole <= 0) return "-";
  char text[16];
  std::snprintf(text, sizeof(text), "%.0f%%", 100 * part / whole);
  return text;
}

void print_row(const BenchMeasurement& m) {
  const BenchStatistics s = statistics(m);
  const double rate = repetitions_per_second(m), gb = m.bytes * rate / 1e9, gmac = m.macs * rate / 1e9;
  char line[200];
  std::snprintf(line, sizeof(line), "%-16s %7d %9.2f +- %-7.2f %9.2f %8.1f %5s %9.1f %5s\n", m.test.name.c_str(),
                m.n_threads, s.mean, s.sd, s.median, gb, percent(gb, m.limits.read_gb_per_s).c_str(), gmac,
                percent(gmac, peak_of(m)).c_str());
  print(line);
}

void print_header(const hearth::Model& model, const std::string& path) {
  const hearth::ModelInfo& info = model.info();
  print(printable(path) + ": " + printable(info.architecture) + " " + info.quantization + ", " +
        format_count(info.n_parameters) + " parameters, " + format_bytes(model.file().file_bytes()) + "; " +
        hearth::active_isa() + "\n");
}

void print_limits(const MachineLimits& limits) {
  char line[200];
  std::snprintf(line, sizeof(line), "limits of %d threads: reading %.1f GB/s, int8 products %.0f GMAC/s\n",
                limits.n_threads, limits.read_gb_per_s, limits.int8_gmac_per_s);
  print(line);
  if (limits.bf16_gmac_per_s > 0) {
    std::snprintf(line, sizeof(line), "and bf16 products of tiles, which prompts are measured by: %.0f GMAC/s\n",
                  limits.bf16_gmac_per_s);
    print(line);
  }
  print("test             threads  tokens/s  +- sd       median     GB/s           GMAC/s\n");
}

/// The text that drafts continue: a file's, or tokens by chance.
hearth::Result<std::vector<hearth::Token>> draft_prompt(const BenchOptions& o, const hearth::Model& model) {
  if (!o.text.empty()) {
    const auto text = read_text(o.text);
    if (!text) return text.error();
    return model.tokenizer().encode(*text, {.add_special = true});
  }
  std::vector<hearth::Token> ids(kBatchPrompt);
  hearth::Rng rng(1);
  for (hearth::Token& id : ids) {
    id = static_cast<hearth::Token>(rng.next() % static_cast<uint64_t>(model.info().n_vocab));
  }
  return ids;
}

/// Every length of generation with and without drafts; appends to `list`.
Status bench_with_drafts(const hearth::Model& model, const BenchOptions& o, hearth::SessionOptions options,
                         Json& list) {
  const auto prompt = draft_prompt(o, model);
  if (!prompt) return prompt.error();
  const int32_t longest = *std::max_element(o.generations.begin(), o.generations.end());
  options.n_ctx = static_cast<int32_t>(prompt->size()) + longest + 64;
  if (Status status = o.drafts.prepare(options); !status) return status;
  auto session = Session::create(model, options);
  if (!session) return session.error();
  const auto speculator = o.drafts.create(*session);
  if (!speculator) return speculator.error();
  for (const int32_t n : o.generations) {
    if (n < 1) continue;
    const auto made = bench_drafts(*session, **speculator, *prompt, n, o.repetitions, o.json);
    if (!made) return made.error();
    list.push_back(*made);
  }
  return {};
}

/// Every test at one number of threads; appends to `results`.
Status bench_threads(const hearth::Model& model, const BenchOptions& o, hearth::SessionOptions options, Json& results) {
  const std::vector<BenchTest> tests = list_tests(o, model.info());
  for (const BenchTest& test : tests) {
    options.n_ctx = std::max(options.n_ctx, context_of(test));
    options.n_seqs = std::max(options.n_seqs, test.n_seqs);
  }
  auto session = Session::create(model, options);
  if (!session) return session.error();
  const int n_threads = session->options().n_threads;
  show_warning(session->warning());
  auto limits = hearth::measure_machine_limits(n_threads);
  if (!limits && limits.error().code == hearth::ErrorCode::kOutOfMemory) {
    show_warning(limits.error().message + ": the limits of the machine are not shown");
    limits = MachineLimits{.n_threads = n_threads};
  }
  if (!limits) return limits.error();
  const ModelCosts costs = count_costs(model, options.k_type, options.v_type);
  if (!o.json) print_limits(*limits);
  Json list = Json::array();
  for (const BenchTest& test : tests) {
    auto measured = measure(*session, test, o.repetitions, costs);
    if (!measured) return measured.error();
    measured->limits = *limits;
    list.push_back(to_json(*measured));
    if (!o.json) print_row(*measured);
  }
  Json with_drafts = Json::array();
  if (o.drafts.wanted() && !o.generations.empty() && model.info().causal && model.info().has_logits) {
    if (Status status = bench_with_drafts(model, o, options, with_drafts); !status) return status;
  }
  results.push_back({{"threads", n_threads},
                     {"limits",
                      {{"read_gb_per_second", limits->read_gb_per_s},
                       {"int8_gmac_per_second", limits->int8_gmac_per_s},
                       {"bf16_gmac_per_second", limits->bf16_gmac_per_s}}},
                     {"tests", list},
                     {"drafts", with_drafts}});
  return {};
}

int bench(const BenchOptions& o) {
  catch_interrupts();
  for (const auto* list : {&o.prompts, &o.generations, &o.depths, &o.sequences, &o.threads}) {
    for (int32_t n : *list) {
      if (n < 0 || n > 1'000'000) return fail_usage("bench: " + std::to_string(n) + " is out of range");
    }
  }
  if (o.repetitions < 1) return fail_usage("bench: -r must be at least 1");
  for (int32_t n : o.sequences) {
    if (n < 1) return fail_usage("bench: -b needs at least 1 sequence");
  }
  auto options = o.session.resolve();
  if (!options) return fail_usage(options.error().message);
  hearth::SessionOptions unused;
  if (Status status = o.drafts.prepare(unused); !status) return fail_usage("bench: " + status.error().message);
  const auto model = load_model(o.model);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  if (auto status = o.session.adapters.load(*model, *options); !status) return fail(status.error());
  if (!o.json) print_header(*model, o.model.path);
  Json runs = Json::array();
  Status status;
  for (int32_t n_threads : o.threads) {
    options->n_threads = n_threads;
    if (status) status = bench_threads(*model, o, *options, runs);
  }
  if (interrupted()) return fail_interrupted();
  if (!status) return fail(status.error());
  if (o.json) {
    print_json({{"model", o.model.path},
                {"architecture", model->info().architecture},
                {"quantization", model->info().quantization},
                {"parameters", model->info().n_parameters},
                {"file_bytes", model->file().file_bytes()},
                {"isa", hearth::active_isa()},
                {"repetitions", o.repetitions},
                {"runs", runs}});
  }
  return finish_output();
}

}  // namespace

Action setup_bench(Options& options) {
  auto values = std::make_shared<BenchOptions>();
  values->model.declare(options);
  options.add("-p,--prompt", values->prompts, "Prompt lengths to measure (0: none)");
  options.add("-n,--generate", values->generations, "Numbers of tokens to generate (0: none)");
  options.add("-d,--depth", values->depths, "Tokens in the cache before");
  options.add("-b,--batches", values->sequences, "Numbers of sequences generating at once, each after 128 tokens");
  options.add("-t,--threads", values->threads, "Numbers of threads (0: the physical cores that this process may use)");
  options.add("-r,--repetitions", values->repetitions, "Repetitions of each test");
  options.add("--json", values->json, "Print one JSON object");
  values->session.declare_kv_types(options);
  options.add("--batch-size", values->session.n_batch, "Prompt tokens computed at a time");
  options.add("--exact", values->session.exact, "Multiply quantised weights by float activations, not 8-bit ones");
  options.add("--isa", values->session.isa, "Instruction set to use instead of the best one");
  values->session.adapters.declare(options);
  values->drafts.declare(options);
  options.add("--text", values->text, "Text that is continued with and without --draft or --lookup (random tokens)");
  options.footer(
      "GB/s counts weights and cached keys and values; GMAC/s counts matrix products. The percentages are of this\n"
      "machine's limits, measured in the same run.");
  return [values] { return bench(*values); };
}

}  // namespace hearth_tool
