// One table for flags and settings.
#include "sampling_settings.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <random>

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::SamplerOptions;
using hearth::Status;

std::span<const SamplingField> sampling_fields() {
  using S = SamplerOptions;
  static constexpr SamplingField kFields[] = {
      {"--temp,--temperature", "temperature", &S::temperature, "Temperature (0: greedy)"},
      {"--top-k", "top_k", &S::top_k, "Keep the k most probable (0: off)"},
      {"--top-p", "top_p", &S::top_p, "Keep the smallest set of this mass (1: off)"},
      {"--min-p", "min_p", &S::min_p, "Least part of the best's probability (0: off)"},
      {"--typical", "typical_p", &S::typical_p, "Locally typical sampling (1: off)"},
      {"--top-n-sigma", "top_n_sigma", &S::top_n_sigma, "Logits within n deviations of the best (-1: off)"},
      {"--xtc-probability", "xtc_probability", &S::xtc_probability, "Chance of excluding top choices (0: off)"},
      {"--xtc-threshold", "xtc_threshold", &S::xtc_threshold, "Probability above which a choice is a top choice"},
      {"--repeat-penalty", "repeat_penalty", &S::repeat_penalty, "Penalty on repeated tokens (1: off)"},
      {"--repeat-last-n", "repeat_last_n", &S::penalty_last_n, "Tokens that the penalties look back on (-1: all)"},
      {"--presence-penalty", "presence_penalty", &S::presence_penalty, "Penalty on tokens that occurred (0: off)"},
      {"--frequency-penalty", "frequency_penalty", &S::frequency_penalty,
       "Penalty by how often they occurred (0: off)"},
      {"--dry-multiplier", "dry_multiplier", &S::dry_multiplier, "DRY penalty on continued repetitions (0: off)"},
      {"--dry-base", "dry_base", &S::dry_base, "DRY growth with the length"},
      {"--dry-allowed-length", "dry_allowed_length", &S::dry_allowed_length, "DRY length that is free"},
      {"--dry-penalty-last-n", "dry_penalty_last_n", &S::dry_penalty_last_n, "Tokens that DRY looks back on (-1: all)"},
      {"--dynatemp-range", "dynatemp_range", &S::dynatemp_range, "Temperature varies by +- this by entropy (0: off)"},
      {"--dynatemp-exp", "dynatemp_exponent", &S::dynatemp_exponent, "Exponent of that variation"},
      {"--min-keep", "min_keep", &S::min_keep, "Truncation keeps at least so many tokens"},
      {"--mirostat", "mirostat", &S::mirostat, "1 or 2: hold the surprise at mirostat-tau (0: off)"},
      {"--mirostat-tau", "mirostat_tau", &S::mirostat_tau, "Target surprise in bits"},
      {"--mirostat-eta", "mirostat_eta", &S::mirostat_eta, "Learning rate of mirostat"},
  };
  return kFields;
}

namespace {

Result<std::pair<hearth::Token, float>> parse_bias(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const long id = std::strtol(text.c_str(), &end, 10);
  const bool has_id = end != text.c_str() && *end == '=' && errno == 0 && id >= 0 && id <= INT32_MAX;
  const char* number = has_id ? end + 1 : "";
  const float value = std::strtof(number, &end);
  if (!has_id || end == number || *end != '\0') {
    return Error{ErrorCode::kInvalidArgument, "--logit-bias: '" + text + "' is not ID=VALUE"};
  }
  return std::pair(static_cast<hearth::Token>(id), value);
}

/// The first of the names in "--temp,--temperature".
std::string first_name(const char* flag) {
  const std::string names = flag;
  return names.substr(0, names.find(','));
}

}  // namespace

const SamplingField* find_sampling_field(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  for (const SamplingField& field : sampling_fields()) {
    std::string flags = std::string(field.flag) + ",";
    std::replace(flags.begin(), flags.end(), '-', '_');
    if (name == field.name || flags.find("__" + name + ",") != std::string::npos) return &field;
  }
  return nullptr;
}

void SamplingSettings::declare(Options& options) {
  options_.emplace(options);
  options.add("--greedy", given_.greedy, "Always take the most probable token");
  options.add("--seed", seed_, "Seed; equal seeds give equal text (-1: another each time; it is printed)");
  for (const SamplingField& field : sampling_fields()) {
    std::visit([&](auto member) { options.add(field.flag, given_.*member, field.help); }, field.member);
  }
  options.add("--logit-bias", logit_bias_, "ID=VALUE added to a token's logit (-inf forbids it); may be repeated");
}

Result<SamplerOptions> SamplingSettings::flags() const {
  SamplerOptions result = given_;
  for (const std::string& text : logit_bias_) {
    const auto bias = parse_bias(text);
    if (!bias) return bias.error();
    result.logit_bias.push_back(*bias);
  }
  return result;
}

Status SamplingSettings::check() const {
  if (seed_ < -1) return Error{ErrorCode::kInvalidArgument, "--seed: " + std::to_string(seed_) + " is below -1"};
  auto parsed = flags();
  if (!parsed) return parsed.error();
  parsed->logit_bias.clear();  // which tokens there are, the model will say
  const auto sampler = hearth::Sampler::create(1, *parsed);
  return sampler ? Status() : sampler.error();
}

SamplerOptions SamplingSettings::resolve(const hearth::GgufFile& file, const NamedModel& named) const {
  SamplerOptions result = hearth::recommended_sampling(file);
  apply_parameters(named, result);
  const auto parsed = flags();
  if (!parsed) return result;
  for (const SamplingField& field : sampling_fields()) {
    if (!options_ || !options_->given(first_name(field.flag).c_str())) continue;
    std::visit([&](auto member) { result.*member = (*parsed).*member; }, field.member);
  }
  result.greedy = parsed->greedy;
  result.logit_bias = parsed->logit_bias;
  const int64_t seed = seed_ < 0 ? NamedDefaults::of(named).seed.value_or(-1) : seed_;
  result.seed = seed < 0 ? random_seed() : static_cast<uint64_t>(seed);
  return result;
}

uint64_t random_seed() {
  return std::random_device{}();
}

}  // namespace hearth_tool
