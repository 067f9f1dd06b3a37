// Prometheus' text.
#include "metrics.h"

#include <cstdio>

namespace hearth_server {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

}  // namespace

std::string Histogram::text(const std::string& name) const {
  std::string out = "# TYPE " + name + " histogram\n";
  for (size_t i = 0; i < kBounds.size(); ++i) {
    out += name + "_bucket{le=\"" + number(kBounds[i]) + "\"} " + std::to_string(counts_[i]) + "\n";
  }
  out += name + "_bucket{le=\"+Inf\"} " + std::to_string(n_) + "\n";
  return out + name + "_sum " + number(sum_) + "\n" + name + "_count " + std::to_string(n_) + "\n";
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out = "# TYPE hearth_requests_total counter\n";
  for (const auto& [status, n] : requests_) {
    out += "hearth_requests_total{status=\"" + std::to_string(status) + "\"} " + std::to_string(n) + "\n";
  }
  return out + request_seconds_.text("hearth_request_seconds") + first_token_.text("hearth_first_token_seconds") +
         between_tokens_.text("hearth_between_tokens_seconds");
}

}  // namespace hearth_server
