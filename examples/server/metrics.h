// Figures for /metrics: counters and histograms, and the text that Prometheus reads.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace hearth_server {

class Histogram {
 public:
  static constexpr std::array<double, 15> kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                  0.5,   1,      2.5,   5,    10,    30,   60};
  void add(double seconds) {
    for (size_t i = 0; i < kBounds.size(); ++i)
      if (seconds <= kBounds[i]) ++counts_[i];
    ++n_;
    sum_ += seconds;
  }
  /// Lines in Prometheus' form.
  std::string text(const std::string& name, const std::string& help) const;

 private:
  std::array<uint64_t, kBounds.size()> counts_{};
  uint64_t n_ = 0;
  double sum_ = 0;
};

/// "# HELP" and "# TYPE" of what follows.
std::string metric_head(const std::string& name, const char* type, const std::string& help);
std::string metric_number(double value);

class Metrics {
 public:
  void count_request(int status, double seconds) {
    const std::lock_guard lock(mutex_);
    ++requests_[status];
    request_seconds_.add(seconds);
  }
  void first_token(double seconds) {
    const std::lock_guard lock(mutex_);
    first_token_.add(seconds);
  }
  void next_token(double seconds) {
    const std::lock_guard lock(mutex_);
    between_tokens_.add(seconds);
  }
  void queued(double seconds) {
    const std::lock_guard lock(mutex_);
    queue_.add(seconds);
  }
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::map<int, uint64_t> requests_;
  Histogram request_seconds_, queue_, first_token_, between_tokens_;
};

}  // namespace hearth_server
