// Rows of logits, packed and compared.
#include "lib/quantize/base_logits.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace hearth {
namespace {

/// Below that, probabilities are nothing to a double's sum; keeps -inf out of products.
constexpr double kLeastLnP = -700;

double bounded_ln_p(const LogitsRow& row, size_t i) {
  return std::max(row.ln_p(i), kLeastLnP);
}

size_t bin_of(double ln_p, double highest) {
  const double bin = (highest - ln_p) / PackedRow::kBinWidth;
  return bin < PackedRow::kBins - 1 ? static_cast<size_t>(std::max(bin, 0.0)) : PackedRow::kBins - 1;
}

/// sum (p - p') (ln p - ln q) over the bins; `sums`: of ln q.
double within_bins(const PackedRow::Head& head, const double (&sums)[PackedRow::kBins]) {
  const auto beside = [&](size_t bin, int step) {  // the next that has entries, or itself
    for (auto b = static_cast<int>(bin) + step; b >= 0 && b < static_cast<int>(PackedRow::kBins); b += step) {
      if (head.bins[b].n_entries > 0) return static_cast<size_t>(b);
    }
    return bin;
  };
  double sum = 0;
  for (size_t bin = 0; bin < PackedRow::kBins; ++bin) {
    if (!(head.bins[bin].n_entries > 0)) continue;
    const size_t a = beside(bin, -1), b = beside(bin, 1);
    const double run = static_cast<double>(head.bins[b].mean_ln_p) - static_cast<double>(head.bins[a].mean_ln_p);
    if (a == b || run == 0) continue;
    const double rise =
        sums[b] / static_cast<double>(head.bins[b].n_entries) - sums[a] / static_cast<double>(head.bins[a].n_entries);
    sum += (1 - rise / run) * static_cast<double>(head.bins[bin].covariance);
  }
  return sum;
}

}  // namespace

LogitsRow::LogitsRow(std::span<const float> row) : logits(row) {
  const auto largest = std::max_element(row.begin(), row.end());
  top = static_cast<uint32_t>(largest - row.begin());
  double sum = 0;
  for (const float logit : row) sum += std::exp(static_cast<double>(logit) - static_cast<double>(*largest));
  ln_sum = static_cast<double>(*largest) + std::log(sum);
}

size_t PackedRow::bytes(size_t n_vocab) {
  const size_t top_bytes = kTop * (sizeof(uint32_t) + sizeof(float));
  const size_t bin_bytes = n_vocab > kTop ? (n_vocab + 1) / 2 : 0;
  return sizeof(Head) + top_bytes + (bin_bytes + 7) / 8 * 8;
}

void PackedRow::pack(const LogitsRow& row, Token next, std::byte* out) {
  const size_t n = row.logits.size(), n_top = std::min(n, kTop);
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  const auto likelier = [&](uint32_t a, uint32_t b) {
    return row.logits[a] != row.logits[b] ? row.logits[a] > row.logits[b] : a < b;
  };
  if (n_top < n) std::nth_element(order.begin(), order.begin() + n_top, order.end(), likelier);
  Head head;
  head.ln_p_next = row.ln_p(static_cast<size_t>(next));
  head.top = row.top;
  head.n_top = static_cast<uint32_t>(n_top);
  uint32_t ids[kTop] = {};
  float probabilities[kTop] = {};
  for (size_t i = 0; i < n_top; ++i) {
    ids[i] = order[i];
    probabilities[i] = static_cast<float>(std::exp(row.ln_p(order[i])));
    head.cross += static_cast<double>(probabilities[i]) * bounded_ln_p(row, order[i]);
  }
  std::memset(out, 0, bytes(n));
  std::byte* codes = out + sizeof(Head) + sizeof(ids) + sizeof(probabilities);
  struct {
    double mass = 0, ln_p = 0, cross = 0, n = 0;
  } sums[kBins];
  const double highest = n_top < n ? row.ln_p(order[n_top]) : 0;  // of the rest
  for (size_t i = n_top; i < n; ++i) {
    const size_t id = order[i];
    const double ln_p = bounded_ln_p(row, id);
    const size_t bin = bin_of(ln_p, highest);
    codes[id / 2] |= static_cast<std::byte>(bin << (id % 2 * 4));
    const double p = std::exp(ln_p);
    sums[bin].mass += p;
    sums[bin].ln_p += ln_p;
    sums[bin].cross += p * ln_p;
    sums[bin].n += 1;
  }
  for (size_t bin = 0; bin < kBins; ++bin) {
    if (sums[bin].n == 0) continue;
    const auto p = static_cast<float>(sums[bin].mass / sums[bin].n);
    const double cross = static_cast<double>(p) * sums[bin].ln_p;
    head.bins[bin] = {p, static_cast<float>(sums[bin].ln_p / sums[bin].n), static_cast<float>(sums[bin].n),
                      static_cast<float>(sums[bin].cross - cross)};
    head.cross += cross;
  }
  std::memcpy(out, &head, sizeof(head));
  std::memcpy(out + sizeof(head), ids, sizeof(ids));
  std::memcpy(out + sizeof(head) + sizeof(ids), probabilities, sizeof(probabilities));
}

Result<Comparison> PackedRow::compare(const std::byte* packed, const LogitsRow& row, Token next) {
  Head head;
  uint32_t ids[kTop];
  float probabilities[kTop];
  std::memcpy(&head, packed, sizeof(head));
  std::memcpy(ids, packed + sizeof(head), sizeof(ids));
  std::memcpy(probabilities, packed + sizeof(head) + sizeof(ids), sizeof(probabilities));
  const std::byte* codes = packed + sizeof(head) + sizeof(ids) + sizeof(probabilities);
  const size_t n = row.logits.size();
  double sums[kBins] = {}, cross = 0;
  if (head.n_top != std::min(n, kTop)) return Error{ErrorCode::kFormat, "a row is damaged"};
  if (n > kTop) {
    for (size_t i = 0; i < n; ++i)
      sums[std::to_integer<size_t>(codes[i / 2] >> (i % 2 * 4)) % kBins] += bounded_ln_p(row, i);
  }
  for (size_t i = 0; i < head.n_top; ++i) {
    if (ids[i] >= n) return Error{ErrorCode::kFormat, "a row is damaged"};
    const double ln_q = bounded_ln_p(row, ids[i]);
    cross += static_cast<double>(probabilities[i]) * ln_q;
    if (n > kTop) sums[0] -= ln_q;  // those carry the code 0
  }
  for (size_t bin = 0; bin < kBins; ++bin) cross += static_cast<double>(head.bins[bin].p) * sums[bin];
  Comparison c;
  c.base_nll = -head.ln_p_next;
  c.kld = head.cross - cross + within_bins(head, sums);
  c.dp = std::exp(row.ln_p(static_cast<size_t>(next))) - std::exp(head.ln_p_next);
  c.same_top = head.top == row.top;
  return c;
}

}  // namespace hearth
