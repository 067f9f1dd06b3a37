// One measurement of bench: a test, its repetitions, and the work that they did.
#pragma once

#include <string>
#include <vector>

#include "hearth/cpu.h"
#include "hearth/session.h"
#include "model_costs.h"

namespace hearth_tool {

/// One line of the table.
struct BenchTest {
  std::string name;
  int32_t n_tokens;  ///< a sequence
  int32_t depth;
  int32_t n_seqs;
  bool is_prompt;
};

struct BenchMeasurement {
  BenchTest test;
  int n_threads;
  std::vector<double> seconds;
  double bytes, macs;  ///< of one repetition
  hearth::MachineLimits limits;
};

/// Of tokens a second.
struct BenchStatistics {
  double mean = 0, sd = 0, median = 0;
};
BenchStatistics statistics(const BenchMeasurement& measured);
/// Repetitions a second at the median.
double repetitions_per_second(const BenchMeasurement& measured);

/// Positions that a test needs, in whole pages.
int32_t context_of(const BenchTest& test);
/// Fills the cache to the test's depth (unless the test before left it so), runs once to warm up, then measures.
/// kCancelled after Ctrl-C.
hearth::Result<BenchMeasurement> measure(hearth::Session& session, const BenchTest& test, int32_t repetitions,
                                         const ModelCosts& costs);

}  // namespace hearth_tool
