// Whether a model fits this machine, and how: from the exact plan of its memory.
#pragma once

#include <cstdint>
#include <string>

#include "hearth/session.h"

namespace hearth_store {

struct Fit {
  enum class Verdict {
    kFits,      ///< with the context that it was trained for, and keys and values as f16
    kReduced,   ///< with a smaller context or q8_0 keys and values: `context`, `kv_type`
    kTooLarge,  ///< not even with the smallest
    kUnknown,   ///< its plan cannot be made: `why`
  };
  Verdict verdict = Verdict::kUnknown;
  int32_t context = 0;  ///< tokens; of kTooLarge the smallest that was tried
  hearth::KVType kv_type = hearth::KVType::kF16;
  uint64_t bytes = 0;            ///< that a run takes so
  uint64_t available = 0;        ///< that there are; 0: unknown
  double tokens_per_second = 0;  ///< expected in generation, at the beginning of a text; 0: not known
  std::string why{};
};

const char* verdict_name(Fit::Verdict verdict);  ///< "fits", "reduced", "too_large", "unknown"
/// "fits", "fits with a context of 8192, q8_0 cache", "too large: 5.1 GB of 3.9 GB"
std::string verdict_text(const Fit& fit);

/// The largest context, up to the trained one (or `options.n_ctx`), for which the plan stays below nine tenths of
/// `available`, for each of `options.n_seqs` sequences; of two caches f16 first, then q8_0. `speed`: bytes a second
/// that memory is read with, 0: unknown.
Fit find_fit(const std::string& path, hearth::SessionOptions options, uint64_t available, double speed);

/// Bytes of weights that a token reads: all matrices once, of experts those that are used.
uint64_t bytes_per_token(const hearth::GgufFile& file);
/// Expected time of a token at the beginning of a text; `speed`: bytes a second that memory is read with. Types that
/// take long to decode are slower than reading them.
double seconds_per_token(const hearth::GgufFile& file, double speed);

}  // namespace hearth_store
