// Which settings a sampler accepts.
#include <cmath>
#include <string>

#include "lib/base/concat.h"
#include "lib/sample/stages.h"

namespace hearth::sample {
namespace {

struct Range {
  const char* name;
  double value;
  double low, high;  ///< inclusive
};

Status bad(const std::string& what) {
  return Error{ErrorCode::kInvalidArgument, "sampler: " + what};
}

}  // namespace

Status check_options(const SamplerOptions& o, int32_t n_vocab) {
  if (n_vocab <= 0) return bad(concat("n_vocab must be positive, got ", n_vocab));
  constexpr double kMax = 3.4e38;
  constexpr double kMaxInt = 2147483647.0;
  const Range ranges[] = {
      {"penalty_last_n", static_cast<double>(o.penalty_last_n), -1, kMaxInt},
      {"repeat_penalty", o.repeat_penalty, 1e-6, 1e6},
      {"frequency_penalty", o.frequency_penalty, -1e6, 1e6},
      {"presence_penalty", o.presence_penalty, -1e6, 1e6},
      {"dry_multiplier", o.dry_multiplier, 0, 1e6},
      {"dry_base", o.dry_base, o.dry_multiplier > 0 ? 1 : -kMax, kMax},
      {"dry_allowed_length", static_cast<double>(o.dry_allowed_length), 0, kMaxInt},
      {"dry_penalty_last_n", static_cast<double>(o.dry_penalty_last_n), -1, kMaxInt},
      {"top_n_sigma", o.top_n_sigma, -kMax, kMax},
      {"typical_p", o.typical_p, 0, kMax},
      {"top_p", o.top_p, 0, kMax},
      {"min_p", o.min_p, -kMax, kMax},
      {"xtc_probability", o.xtc_probability, 0, 1},
      {"xtc_threshold", o.xtc_threshold, 0, kMax},
      {"temperature", o.temperature, -kMax, kMax},
      {"dynatemp_range", o.dynatemp_range, 0, kMax},
      {"dynatemp_exponent", o.dynatemp_exponent, 0, kMax},
      {"min_keep", static_cast<double>(o.min_keep), 0, kMaxInt},
      {"mirostat", static_cast<double>(o.mirostat), 0, 2},
      {"mirostat_tau", o.mirostat_tau, 0, 1e6},
      {"mirostat_eta", o.mirostat_eta, 0, 1e6},
  };
  for (const Range& r : ranges) {
    if (!(r.value >= r.low && r.value <= r.high)) {
      return bad(concat(r.name, " is out of range: ", std::to_string(r.value)));
    }
  }
  for (const auto& [id, value] : o.logit_bias) {
    if (id < 0 || id >= n_vocab) {
      return bad(concat("logit_bias names token ", id, " of a vocabulary of ", n_vocab));
    }
    if (std::isnan(value)) return bad(concat("logit_bias of token ", id, " is NaN"));
  }
  return {};
}

}  // namespace hearth::sample
