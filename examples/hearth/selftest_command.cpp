// hearth selftest: every kernel against its reference, on every instruction set that this machine has.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>

#include "commands.h"
#include "hearth/cpu.h"
#include "json_output.h"
#include "model_options.h"
#include "model_writer.h"

namespace hearth_tool {
namespace {

namespace fs = std::filesystem;

using hearth::BatchToken;
using hearth::Error;
using hearth::ErrorCode;
using hearth::Model;
using hearth::Result;
using hearth::Status;

struct SelftestOptions {
  bool json = false, verbose = false;
};

/// Outcome of one comparison with the scalar set: of a kernel, or of a whole model's logits.
struct Check {
  std::string isa, name;
  bool passed;
  std::string detail;  ///< the error found and the limit
};

/// A small model run as a whole: shape and mix of types.
struct ModelCase {
  const char* shape;
  const char* mix;
};

/// One shape in every mix, and others in one that people use.
std::vector<ModelCase> model_cases() {
  std::vector<ModelCase> cases = {{"tiny-spm-test", "q4_k_m"},    {"tiny-spm-test", "q8_0"},
                                  {"tiny-qwen3-test", "q4_k_m"},  {"tiny-qwen3moe-test", "q4_k_m"},
                                  {"tiny-gemma3-test", "q4_k_m"}, {"tiny-gpt-oss-test", "mxfp4"}};
  for (const TypeMix& mix : type_mixes()) cases.push_back({"tiny-llama-test", mix.name});
  return cases;
}

/// Limits of the normalised error. Float sums run in another order and are stored as half cells; activations quantised
/// to 8 bits sometimes fall to the other side of a rounding, which moves random logits by about 1e-4; and that may send
/// a token to another expert. Matrix tiles round the activations of prompts otherwise: the difference is then the error
/// of 8 bits itself. A wrong kernel gives about 1.
constexpr double kFloatLimit = 1e-7, kQuantisedLimit = 1e-3, kTileLimit = 5e-3, kExpertLimit = 5e-2;

/// A folder that is removed with what selftest puts into it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::random_device any;
    for (int i = 0; i < 100 && path_.empty(); ++i) {
      const fs::path path = fs::temp_directory_path(error) / ("hearth-selftest-" + std::to_string(any()));
      if (!error && fs::create_directory(path, error)) path_ = path;
    }
    if (!path_.empty()) fs::permissions(path_, fs::perms::owner_all, error);
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  bool is_there() const { return !path_.empty(); }
  std::string model() const { return (path_ / "model.gguf").string(); }

 private:
  fs::path path_;
};

/// Logits of a prompt of 37 tokens computed at once and 6 more one at a time, over two KV types.
Result<std::vector<float>> run_model(const Model& model) {
  constexpr int32_t kPrompt = 37, kMore = 6;
  std::vector<float> all;
  for (hearth::KVType kv : {hearth::KVType::kF16, hearth::KVType::kF32}) {
    hearth::SessionOptions options;
    options.n_ctx = 64;
    options.n_logits = kPrompt;
    options.k_type = options.v_type = kv;
    auto session = hearth::Session::create(model, options);
    if (!session) return session.error();
    hearth::Rng rng(3);
    std::vector<BatchToken> batch;
    const auto n_vocab = static_cast<uint64_t>(model.info().n_vocab);
    for (int32_t pos = 0; pos < kPrompt + kMore; ++pos) {
      batch.push_back({static_cast<hearth::Token>(rng.next() % n_vocab), pos, 0, true});
      if (pos + 1 < kPrompt) continue;
      if (Status status = session->decode(batch); !status) return status.error();
      for (size_t i = 0; i < batch.size(); ++i) {
        const auto row = session->logits(i);
        all.insert(all.end(), row.begin(), row.end());
      }
      batch.clear();
    }
  }
  return all;
}

/// sum((reference - x)^2) / sum(reference^2)
double normalised_error(const std::vector<float>& x, const std::vector<float>& reference) {
  if (x.size() != reference.size()) return INFINITY;
  double difference = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = static_cast<double>(reference[i]) - static_cast<double>(x[i]);
    difference += d * d;
    size += static_cast<double>(reference[i]) * static_cast<double>(reference[i]);
  }
  return difference / size;
}

class Selftest {
 public:
  explicit Selftest(const SelftestOptions& options) : options_(options) {}
  Status run();
  bool passed() const;
  Json report() const;

 private:
  Status check_model(const ModelCase& c, const std::string& path);
  void add(Check check);

  const SelftestOptions& options_;
  std::vector<Check> checks_;
};

void Selftest::add(Check check) {
  if (!options_.json && (options_.verbose || !check.passed)) {
    char name[80];
    std::snprintf(name, sizeof(name), "%-8s %-34s %-6s ", check.isa.c_str(), check.name.c_str(),
                  check.passed ? "ok" : "FAILED");
    print(name + check.detail + "\n");
  }
  checks_.push_back(std::move(check));
}

Status Selftest::check_model(const ModelCase& c, const std::string& path) {
  const std::string mix = c.mix;
  Progress progress("selftest");
  const auto written = write_model(path, *find_model_shape(c.shape), *find_type_mix(mix), "", 7, progress);
  if (!written) return written.error();
  const auto model = Model::open(path);
  if (!model) return model.error();
  std::vector<float> reference;
  for (const hearth::IsaInfo& isa : hearth::list_isas()) {
    if (!isa.usable) continue;
    if (Status forced = hearth::force_isa(isa.name); !forced) return forced;
    auto logits = run_model(*model);
    if (!logits) return logits.error();
    if (reference.empty()) {  // the scalar set comes first
      reference = std::move(*logits);
      continue;
    }
    const bool is_float = mix == "f32" || mix == "f16" || mix == "bf16";
    const bool has_experts = model->info().n_experts > 0;
    const double quantised = isa.wide_products ? kTileLimit : kQuantisedLimit;
    const double limit = has_experts ? kExpertLimit : is_float ? kFloatLimit : quantised;
    const double error = normalised_error(*logits, reference);
    char detail[80];
    std::snprintf(detail, sizeof(detail), "error %.2e, limit %.0e", error, limit);
    add({isa.name, "model " + std::string(c.shape) + " " + mix, error <= limit, detail});  // NaN fails
  }
  return {};
}

Status Selftest::run() {
  const TemporaryFolder folder;
  if (!folder.is_there()) return Error{ErrorCode::kIo, "selftest: cannot make a temporary folder"};
  for (hearth::KernelCheck& c : hearth::self_test()) {
    add({std::move(c.isa), std::move(c.name), c.passed, std::move(c.detail)});
  }
  const std::string active = hearth::active_isa();
  for (const ModelCase& c : model_cases()) {
    if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted"};
    if (Status status = check_model(c, folder.model()); !status) return status;
  }
  return hearth::force_isa(active);
}

bool Selftest::passed() const {
  for (const Check& check : checks_) {
    if (!check.passed) return false;
  }
  return true;
}

Json Selftest::report() const {
  Json sets = Json::array(), checks = Json::array();
  for (const hearth::IsaInfo& isa : hearth::list_isas()) {
    sets.push_back({{"name", isa.name}, {"requires", isa.needs}, {"usable", isa.usable}, {"active", isa.active}});
  }
  for (const Check& check : checks_) {
    checks.push_back({{"isa", check.isa}, {"check", check.name}, {"passed", check.passed}, {"detail", check.detail}});
  }
  return {{"passed", passed()}, {"instruction_sets", sets}, {"checks", checks}};
}

void print_summary(const Json& report) {
  for (const Json& isa : report["instruction_sets"]) {
    size_t n = 0, n_passed = 0;
    for (const Json& check : report["checks"]) {
      if (check["isa"] != isa["name"]) continue;
      ++n;
      n_passed += check["passed"].get<bool>() ? 1 : 0;
    }
    const std::string name = isa["name"], needs = isa["requires"];
    std::string outcome = "the reference of the others";
    if (n > 0) outcome = std::to_string(n_passed) + " of " + std::to_string(n) + " checks passed";
    if (!isa["usable"].get<bool>()) outcome = "skipped: this machine lacks some of " + needs;
    print(name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + outcome +
          (isa["active"].get<bool>() ? " (in use)" : "") + "\n");
  }
}

int selftest(const SelftestOptions& options) {
  catch_interrupts();
  Selftest test(options);
  const Status status = test.run();
  if (interrupted()) return fail_interrupted();
  if (!status) return fail(status.error());
  const Json report = test.report();
  if (options.json) {
    print_json(report);
  } else {
    print_summary(report);
  }
  if (const int code = finish_output(); code != 0) return code;
  return test.passed() ? 0 : fail("selftest: some checks failed");
}

}  // namespace

Action setup_selftest(Options& options) {
  auto values = std::make_shared<SelftestOptions>();
  options.add("--json", values->json, "Print one JSON object");
  options.add("-v,--verbose", values->verbose, "Show every check, not only those that fail");
  return [values] { return selftest(*values); };
}

}  // namespace hearth_tool
