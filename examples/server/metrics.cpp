// Prometheus' text.
#include "metrics.h"

#include <cstdio>

namespace hearth_server {
std::string metric_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string metric_head(const std::string& name, const char* type, const std::string& help) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

std::string Histogram::text(const std::string& name, const std::string& help) const {
  std::string out = metric_head(name, "histogram", help);
  for (size_t i = 0; i < kBounds.size(); ++i) {
    out += name + "_bucket{le=\"" + metric_number(kBounds[i]) + "\"} " + std::to_string(counts_[i]) + "\n";
  }
  out += name + "_bucket{le=\"+Inf\"} " + std::to_string(n_) + "\n";
  return out + name + "_sum " + metric_number(sum_) + "\n" + name + "_count " + std::to_string(n_) + "\n";
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out = metric_head("hearth_requests_total", "counter", "Requests answered, by status.");
  for (const auto& [status, n] : requests_) {
    out += "hearth_requests_total{status=\"" + std::to_string(status) + "\"} " + std::to_string(n) + "\n";
  }
  return out + request_seconds_.text("hearth_request_seconds", "From the head of a request to the end of its answer.") +
         queue_.text("hearth_queue_seconds", "How long requests for text waited for their first step.") +
         first_token_.text("hearth_first_token_seconds", "From the beginning of an answer to its first token.") +
         between_tokens_.text("hearth_between_tokens_seconds", "Between two tokens of a request.");
}

}  // namespace hearth_server
