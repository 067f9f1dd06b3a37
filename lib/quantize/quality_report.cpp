// Statistics over scored tokens. Errors are those of means of independent numbers: sqrt((mean x^2 - (mean x)^2) / (n -
// 1)).
#include "lib/quantize/quality_report.h"

#include <algorithm>
#include <cmath>

namespace hearth {
namespace {

constexpr double kKldPercents[] = {0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100};
constexpr double kDpPercents[] = {0, 0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100};

template <typename F>
double mean(const std::vector<ScoredToken>& tokens, F value) {
  double sum = 0;
  for (const ScoredToken& token : tokens) sum += value(token);
  return tokens.empty() ? 0 : sum / static_cast<double>(tokens.size());
}

template <typename F>
Estimate estimate(const std::vector<ScoredToken>& tokens, F value) {
  Estimate e;
  e.value = mean(tokens, value);
  const double squares = mean(tokens, [&](const ScoredToken& t) { return value(t) * value(t); });
  const double n = static_cast<double>(tokens.size());
  e.error = n > 1 ? std::sqrt(std::max(squares - e.value * e.value, 0.0) / (n - 1)) : 0;
  return e;
}

/// exp of a mean, with the error that follows.
Estimate exp_of(const Estimate& e) {
  const double value = std::exp(e.value);
  return {value, value * e.error};
}

/// Between neighbors the value at fraction x of (n - 1) is linear.
template <size_t kN, typename F>
std::vector<Percentile> percentiles_of(const std::vector<ScoredToken>& tokens, const double (&percents)[kN], F value) {
  std::vector<double> sorted;
  sorted.reserve(tokens.size());
  for (const ScoredToken& token : tokens) sorted.push_back(value(token));
  std::sort(sorted.begin(), sorted.end());
  std::vector<Percentile> out;
  for (const double percent : percents) {
    const double place = percent / 100 * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    const double share = place - static_cast<double>(below);
    out.push_back({percent, (1 - share) * sorted[below] + share * sorted[above]});
  }
  return out;
}

Divergence divergence_of(const std::vector<ScoredToken>& tokens, const Estimate& nll, bool percentiles) {
  Divergence d;
  const Estimate base = estimate(tokens, [](const ScoredToken& t) { return t.base_nll; });
  const double joint = mean(tokens, [](const ScoredToken& t) { return t.nll * t.base_nll; });
  const double n = static_cast<double>(tokens.size());
  const double covariance = n > 1 ? (joint - nll.value * base.value) / (n - 1) : 0;
  d.base_perplexity = exp_of(base);
  d.correlation = nll.error > 0 && base.error > 0 ? covariance / (nll.error * base.error) : 1;
  d.ln_ratio = {nll.value - base.value,
                std::sqrt(std::max(nll.error * nll.error + base.error * base.error - 2 * covariance, 0.0))};
  const auto kld = [](const ScoredToken& t) { return t.kld; };
  const auto dp = [](const ScoredToken& t) { return t.dp; };
  d.kld = estimate(tokens, kld);
  d.dp = estimate(tokens, dp);
  const Estimate square = estimate(tokens, [](const ScoredToken& t) { return t.dp * t.dp; });
  d.dp_rms.value = std::sqrt(square.value);
  d.dp_rms.error = d.dp_rms.value > 0 ? 0.5 / d.dp_rms.value * square.error : 0;
  d.same_top.value = mean(tokens, [](const ScoredToken& t) { return t.same_top ? 1.0 : 0.0; });
  d.same_top.error = n > 1 ? std::sqrt(d.same_top.value * (1 - d.same_top.value) / (n - 1)) : 0;
  if (percentiles && !tokens.empty()) {
    d.kld_percentiles = percentiles_of(tokens, kKldPercents, kld);
    d.dp_percentiles = percentiles_of(tokens, kDpPercents, dp);
  }
  return d;
}

}  // namespace

PerplexityReport report_on(const std::vector<ScoredToken>& tokens, bool has_base, bool percentiles) {
  PerplexityReport report;
  report.n_scored = static_cast<int64_t>(tokens.size());
  report.nll = estimate(tokens, [](const ScoredToken& t) { return t.nll; });
  report.perplexity = exp_of(report.nll);
  if (has_base) report.divergence = divergence_of(tokens, report.nll, percentiles);
  return report;
}

}  // namespace hearth
