// Plans tried from the largest context to the smallest.
#include "fit.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string_view>

#include "hearth/gguf.h"
#include "hearth/model.h"

namespace hearth_store {

namespace {

constexpr int32_t kLeastContext = 512;
/// What products with one token reach of the measured reading speed, by how weights are stored. Measured with hearth
/// bench on two cores with AVX-512 and 40 to 80 GB/s: F16 0.92, Q8_0 0.60 to 0.93, Q4_K 0.53, Q6_K 0.55, IQ4_XS 0.51,
/// IQ2_XXS 0.28, IQ3_S 0.18; on machines whose memory is slower and AVX2 Q4_K 0.58 to 0.72, with AVX-512 0.94. The
/// numbers stand in the middle: they may be off by a third either way.
double share_of_speed(hearth::TensorType type) {
  const auto* info = hearth::tensor_type_info(type);
  const std::string_view name = info != nullptr ? info->name : "";
  if (name.starts_with("F") || name.starts_with("BF")) return 0.9;
  if (name.starts_with("IQ1") || name.starts_with("IQ2") || name.starts_with("IQ3")) return 0.25;
  return name.starts_with("Q8") ? 0.75 : 0.65;
}

std::string gigabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes >= 1000000000 ? "%.1f GB" : "%.0f MB",
                static_cast<double>(bytes) / (bytes >= 1000000000 ? 1e9 : 1e6));
  return text;
}

int32_t trained_context(const hearth::GgufFile& file) {
  const auto architecture = file.get_string("general.architecture");
  const auto context = architecture ? file.get_int(std::string(*architecture) + ".context_length")
                                    : hearth::Result<int64_t>(hearth::Error{});
  return context ? static_cast<int32_t>(std::clamp<int64_t>(*context, 1, INT32_MAX)) : 4096;
}

}  // namespace

const char* verdict_name(Fit::Verdict verdict) {
  switch (verdict) {
    case Fit::Verdict::kFits: return "fits";
    case Fit::Verdict::kReduced: return "reduced";
    case Fit::Verdict::kTooLarge: return "too_large";
    case Fit::Verdict::kUnknown: break;
  }
  return "unknown";
}

std::string verdict_text(const Fit& fit) {
  switch (fit.verdict) {
    case Fit::Verdict::kFits: return "fits";
    case Fit::Verdict::kReduced:
      return "fits with a context of " + std::to_string(fit.context) +
             (fit.kv_type == hearth::KVType::kF16 ? std::string()
                                                  : ", " + std::string(hearth::kv_type_name(fit.kv_type)) + " cache");
    case Fit::Verdict::kTooLarge:
      return "too large: " + gigabytes(fit.bytes) + " are wanted, " + gigabytes(fit.available) + " are free";
    case Fit::Verdict::kUnknown: break;
  }
  return "cannot be run: " + fit.why;
}

namespace {

/// Calls `see` for every tensor with the bytes of it that a token reads.
void each_read(const hearth::GgufFile& file, const std::function<void(hearth::TensorType, double)>& see) {
  const auto architecture = file.get_string("general.architecture");
  const std::string prefix = architecture ? std::string(*architecture) + "." : "";
  const auto number = [&](const char* key) {
    const auto value = file.get_int(prefix + key);
    return value && *value > 0 ? static_cast<double>(*value) : 0.0;
  };
  const double experts = number("expert_count"), used = number("expert_used_count");
  const double share = experts > 0 && used > 0 ? std::min(used / experts, 1.0) : 1.0;
  bool has_output = false;
  for (const auto& tensor : file.tensors()) has_output = has_output || tensor.name == "output.weight";
  for (const auto& tensor : file.tensors()) {
    // The embedding is one row, unless it is the output's matrix, too.
    if (tensor.name == "token_embd.weight" && has_output) continue;
    const bool is_expert = tensor.name.find("_exps.") != std::string_view::npos;
    see(tensor.type, static_cast<double>(tensor.size_bytes) * (is_expert ? share : 1.0));
  }
}

}  // namespace

uint64_t bytes_per_token(const hearth::GgufFile& file) {
  double bytes = 0;
  each_read(file, [&](hearth::TensorType, double n) { bytes += n; });
  return static_cast<uint64_t>(bytes);
}

double seconds_per_token(const hearth::GgufFile& file, double speed) {
  double seconds = 0;
  each_read(file, [&](hearth::TensorType type, double n) { seconds += n / (speed * share_of_speed(type)); });
  return seconds;
}

Fit find_fit(const std::string& path, hearth::SessionOptions options, uint64_t available, double speed) {
  Fit fit{.available = available};
  const auto file = hearth::GgufFile::open(path, {.metadata_only = true});
  if (!file) {
    fit.why = file.error().message;
    return fit;
  }
  const int32_t wanted = options.n_ctx > 0 ? options.n_ctx : trained_context(*file);
  const double seconds = speed > 0 ? seconds_per_token(*file, speed) : 0;
  if (seconds > 0) fit.tokens_per_second = 1 / seconds;
  const uint64_t room = available == 0 ? UINT64_MAX : available / 10 * 9;  // the machine has other things to do
  for (int32_t n_ctx = wanted;; n_ctx = std::max(n_ctx / 2, kLeastContext)) {
    for (const hearth::KVType type : {hearth::KVType::kF16, hearth::KVType::kQ8_0}) {
      options.n_ctx = static_cast<int32_t>(std::min<int64_t>(int64_t{n_ctx} * std::max(options.n_seqs, 1), INT32_MAX));
      options.k_type = options.v_type = type;
      const auto plan = hearth::Model::plan(path, options);
      if (!plan) {
        fit.why = plan.error().message;
        if (type == hearth::KVType::kQ8_0) continue;  // heads of some widths have no such cache
        return fit;
      }
      fit.context = n_ctx;
      fit.kv_type = type;
      fit.bytes = plan->total();
      const bool is_whole = n_ctx == wanted && type == hearth::KVType::kF16;
      fit.verdict = is_whole ? Fit::Verdict::kFits : Fit::Verdict::kReduced;
      if (fit.bytes <= room) return fit;
    }
    if (n_ctx <= kLeastContext) break;
  }
  fit.verdict = Fit::Verdict::kTooLarge;
  return fit;
}

}  // namespace hearth_store
