// Sampling settings that a model's file recommends (the keys general.sampling.* of the GGUF specification).
#include <string>
#include <variant>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/sample/stages.h"

namespace hearth {
namespace {

struct RecommendedKey {
  const char* name;
  std::variant<float SamplerOptions::*, int32_t SamplerOptions::*> member;
};

constexpr RecommendedKey kKeys[] = {
    {"temp", &SamplerOptions::temperature},
    {"top_k", &SamplerOptions::top_k},
    {"top_p", &SamplerOptions::top_p},
    {"min_p", &SamplerOptions::min_p},
    {"xtc_probability", &SamplerOptions::xtc_probability},
    {"xtc_threshold", &SamplerOptions::xtc_threshold},
    {"penalty_last_n", &SamplerOptions::penalty_last_n},
    {"penalty_repeat", &SamplerOptions::repeat_penalty},
    {"mirostat", &SamplerOptions::mirostat},
    {"mirostat_tau", &SamplerOptions::mirostat_tau},
    {"mirostat_eta", &SamplerOptions::mirostat_eta},
};

}  // namespace

namespace {

SamplerOptions recommended(const GgufFile& file, const SamplerOptions& defaults) {
  SamplerOptions result = defaults;
  for (const RecommendedKey& key : kKeys) {
    const GgufValue* value = file.find(concat("general.sampling.", key.name));
    const Result<double> number = value ? value->as_float() : Error{};
    if (!number || !(*number >= -2147483648.0 && *number <= 2147483647.0)) continue;
    const SamplerOptions before = result;
    if (const auto* real = std::get_if<0>(&key.member)) result.** real = static_cast<float>(*number);
    if (const auto* integer = std::get_if<1>(&key.member)) result.** integer = static_cast<int32_t>(*number);
    if (!sample::check_options(result, INT32_MAX)) result = before;
  }
  return result;
}

}  // namespace

SamplerOptions recommended_sampling(const GgufFile& file, const SamplerOptions& defaults) {
  return guard_or(SamplerOptions{}, [&] { return recommended(file, defaults); });
}

}  // namespace hearth
