// Temperature, fixed or following the entropy.
#include <algorithm>

#include "lib/sample/exact_math.h"
#include "lib/sample/stages.h"

namespace hearth::sample {

void temperature(Candidates& candidates, float temperature, float range, float exponent) {
  double t = temperature;
  if (range > 0) {
    if (candidates.items.size() < 2) return;
    const double low = std::max(0.0f, temperature - range);
    const double high = temperature + range;
    const SoftmaxSum sum = fill_probabilities(candidates);
    const double evenness =
        std::min(entropy(candidates, sum) / exact_log(static_cast<double>(candidates.items.size())), 1.0);
    t = low + (high - low) * exact_pow(std::max(evenness, 0.0), exponent);
  }
  if (t <= 0) return keep_best(candidates, 1);
  float max = candidates.items.front().logit;
  for (const Candidate& c : candidates.items) max = std::max(max, c.logit);
  // Moving the best to 0 changes no probability and keeps small temperatures from overflowing to +inf.
  for (Candidate& c : candidates.items) {
    c.logit = static_cast<float>((static_cast<double>(c.logit) - static_cast<double>(max)) / t);
  }
}

}  // namespace hearth::sample
