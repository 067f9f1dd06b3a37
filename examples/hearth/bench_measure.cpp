// Runs the tests of bench on a session.
#include "bench_measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::BatchToken;
using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Session;
using hearth::Status;

/// Runs one test on a session of its own cache contents.
class TestRun {
 public:
  TestRun(Session& session, const BenchTest& test) : session_(session), test_(test), rng_(1) {}
  /// Fills the cache to the depth and runs once without measuring.
  Status prepare();
  /// Seconds of one repetition; leaves the cache at the depth.
  Result<double> repeat();

 private:
  hearth::Token random_token() {
    return static_cast<hearth::Token>(rng_.next() % static_cast<uint64_t>(session_.model().info().n_vocab));
  }
  Status decode_prompt(int32_t seq, int32_t n);
  Status run_once();

  Session& session_;
  const BenchTest& test_;
  hearth::Rng rng_;
  std::vector<BatchToken> batch_;
  std::vector<hearth::Token> prompt_;
};

Status TestRun::decode_prompt(int32_t seq, int32_t n) {
  prompt_.clear();
  for (int32_t i = 0; i < n; ++i) prompt_.push_back(random_token());
  return prompt_.empty() ? Status() : session_.prefill(prompt_, {.seq = seq, .cancel = interrupt_flag()});
}

Status TestRun::run_once() {
  if (test_.is_prompt) return decode_prompt(0, test_.n_tokens);
  for (int32_t i = 0; i < test_.n_tokens; ++i) {
    batch_.clear();
    for (int32_t seq = 0; seq < test_.n_seqs; ++seq) batch_.push_back({random_token(), test_.depth + i, seq, true});
    if (Status status = session_.decode(batch_); !status) return status;
    if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted"};
  }
  return {};
}

Result<double> TestRun::repeat() {
  const auto begin = std::chrono::steady_clock::now();
  if (Status status = run_once(); !status) return status.error();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (int32_t seq = 0; seq < test_.n_seqs; ++seq) {
    if (Status status = session_.cache().trim(seq, test_.depth); !status) return status.error();
  }
  return seconds;
}

Status TestRun::prepare() {
  bool is_filled = true;  // by the test before, at the same depth
  for (int32_t seq = 0; seq < session_.options().n_seqs; ++seq) {
    is_filled &= session_.cache().length(seq) == (seq < test_.n_seqs ? test_.depth : 0);
  }
  if (!is_filled) {
    session_.cache().clear();
    for (int32_t seq = 0; seq < test_.n_seqs; ++seq) {
      if (Status status = decode_prompt(seq, test_.depth); !status) return status;
    }
  }
  const auto warm_up = repeat();
  return warm_up ? Status() : Status(warm_up.error());
}

/// Bytes and multiplications of one repetition.
void count_work(BenchMeasurement& m, const ModelCosts& costs, int32_t n_batch) {
  const double n = m.test.n_tokens, seqs = m.test.n_seqs, depth = m.test.depth;
  if (m.test.is_prompt) {
    const double n_batches = std::ceil(n / n_batch);
    m.bytes = n_batches * (batch_weight_bytes(costs, n / n_batches) + costs.kv_bytes_per_position * (depth + n / 2));
    m.macs = batch_macs(costs, n, 1);
  } else {
    m.bytes = n * (batch_weight_bytes(costs, seqs) + seqs * costs.kv_bytes_per_position * (depth + n / 2));
    m.macs = n * batch_macs(costs, seqs, seqs);
  }
}

}  // namespace

int32_t context_of(const BenchTest& test) {
  constexpr int32_t kPage = hearth::KVCache::kPageTokens;
  return test.n_seqs * ((test.depth + test.n_tokens + kPage - 1) / kPage * kPage);
}

BenchStatistics statistics(const BenchMeasurement& m) {
  std::vector<double> rates;
  for (double s : m.seconds) rates.push_back(m.test.n_tokens * m.test.n_seqs / s);
  std::sort(rates.begin(), rates.end());
  BenchStatistics result;
  const double n = static_cast<double>(rates.size());
  for (double r : rates) result.mean += r / n;
  for (double r : rates) result.sd += (r - result.mean) * (r - result.mean) / std::max(n - 1, 1.0);
  result.sd = std::sqrt(result.sd);
  const size_t half = rates.size() / 2;
  result.median = rates.size() % 2 == 1 ? rates[half] : (rates[half - 1] + rates[half]) / 2;
  return result;
}

double repetitions_per_second(const BenchMeasurement& m) {
  return statistics(m).median / (m.test.n_tokens * m.test.n_seqs);
}

Result<BenchMeasurement> measure(Session& session, const BenchTest& test, int32_t repetitions,
                                 const ModelCosts& costs) {
  Progress progress(test.name);
  TestRun run(session, test);
  if (Status status = run.prepare(); !status) return status.error();
  BenchMeasurement m{test, session.options().n_threads, {}, 0, 0, {}};
  for (int32_t i = 0; i < repetitions; ++i) {
    if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted"};
    progress.update(static_cast<uint64_t>(i), static_cast<uint64_t>(repetitions));
    const auto seconds = run.repeat();
    if (!seconds) return seconds.error();
    m.seconds.push_back(*seconds);
  }
  count_work(m, costs, session.options().n_batch);
  return m;
}

}  // namespace hearth_tool
