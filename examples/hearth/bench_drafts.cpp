// Pairs of runs, so that what else the machine does meets both.
#include "bench_drafts.h"

#include <algorithm>
#include <cstdio>

#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::Error;
using hearth::ErrorCode;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

hearth::Result<Json> bench_drafts(hearth::Session& session, hearth::Speculator& speculator,
                                  const std::vector<hearth::Token>& prompt, int32_t n_tokens, int32_t repetitions,
                                  bool quiet) {
  hearth::GenerateOptions options{.max_tokens = n_tokens, .sampler = {.greedy = true}, .ignore_end = true};
  options.continue_cache = true;  // the prompt is computed once
  options.cancel = interrupt_flag();
  std::vector<double> rates[2], ratios;
  std::vector<hearth::Token> ids[2];
  for (int32_t i = -1; i < repetitions; ++i) {
    for (const bool drafts : {false, true}) {
      options.speculator = drafts ? &speculator : nullptr;
      const auto made = session.generate(std::span<const hearth::Token>(prompt), options);
      if (!made) return made.error();
      if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted"};
      ids[drafts] = made->ids;
      if (i >= 0) rates[drafts].push_back(made->timings.generated_tokens / made->timings.generate_seconds);
    }
    if (i >= 0) ratios.push_back(rates[1].back() / rates[0].back());
  }
  const double plain = median(rates[0]), drafted = median(rates[1]), ratio = median(ratios);
  if (!quiet) {
    char line[200];
    std::snprintf(line, sizeof line, "text of %d tokens: %.2f tokens/s, with drafts %.2f (%.2f x)%s\n", n_tokens, plain,
                  drafted, ratio, ids[0] == ids[1] ? "" : "; rounding made it another text");
    print(line + describe_drafts(speculator) + "\n");
  }
  Json result = draft_json(speculator);
  result["tokens"] = n_tokens;
  result["tokens_per_second"] = {{"plain", plain}, {"drafts", drafted}};
  result["ratio"] = ratio;
  result["same_text"] = ids[0] == ids[1];
  return result;
}

}  // namespace hearth_tool
