// Loading a model and turning flags into options.
#include "model_options.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "hearth/cpu.h"
#include "terminal.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

Result<hearth::Model> load_model(const std::string& path) {
  Progress progress("loading " + path);
  hearth::ModelOptions options;
  options.progress = [&](uint64_t done, uint64_t total) {
    progress.update(done, total);
    return !interrupted();
  };
  auto model = hearth::Model::open(path, options);
  if (model) show_warning(model->tokenizer().warning());
  return model;
}

void SessionSettings::declare(Options& options, bool has_batch_size) {
  options.add("-c,--ctx", n_ctx, "Context: positions that fit (0: the model's own, at most 4096)");
  options.add("-t,--threads", n_threads, "Threads (0: the physical cores that this process may use)");
  declare_kv_types(options);
  if (has_batch_size) options.add("--batch-size", n_batch, "Prompt tokens computed at a time");
  options.add("--exact", exact, "Multiply quantised weights by float activations, not 8-bit ones (slower)");
  options.add("--isa", isa, "Instruction set to use instead of the best one, e.g. scalar or avx2");
}

void SessionSettings::declare_kv_types(Options& options) {
  std::string types;
  for (const hearth::KVType type : hearth::list_kv_types()) {
    types += (types.empty() ? "" : ", ") + std::string(hearth::kv_type_name(type));
  }
  options.add("--kv", kv, ("Type of the cached keys and values: " + types).c_str());
  options.add("--ctk,--cache-type-k", k_type, "Type of the cached keys alone (also written -ctk)");
  options.add("--ctv,--cache-type-v", v_type, "Type of the cached values alone (also written -ctv)");
}

Result<hearth::SessionOptions> SessionSettings::resolve() const {
  hearth::SessionOptions result;
  const struct {
    const char* flag;
    const std::string& name;
    hearth::KVType& type;
  } kv_types[] = {{"-ctk", k_type, result.k_type}, {"-ctv", v_type, result.v_type}};
  for (const auto& [flag, name, type] : kv_types) {
    const auto parsed = hearth::parse_kv_type(name.empty() ? kv : name);
    if (!parsed)
      return Error{ErrorCode::kInvalidArgument, (name.empty() ? "--kv" : flag) + (": " + parsed.error().message)};
    type = *parsed;
  }
  if (!isa.empty()) {
    if (Status forced = hearth::force_isa(isa); !forced) return forced.error();
  } else if (const std::string error = hearth::isa_override_error(); !error.empty()) {
    return Error{ErrorCode::kInvalidArgument, error};
  }
  result.n_ctx = n_ctx;
  result.n_threads = n_threads;
  result.n_batch = n_batch;
  result.exact_products = exact;
  return result;
}

void SamplingSettings::declare(Options& options) {
  hearth::SamplerOptions& s = sampler;
  options.add("--greedy", s.greedy, "Always take the most probable token");
  options.add("--seed", s.seed, "Seed; equal seeds give equal text");
  options.add("--temp,--temperature", s.temperature, "Temperature (0: greedy)");
  options.add("--top-k", s.top_k, "Keep the k most probable (0: off)");
  options.add("--top-p", s.top_p, "Keep the smallest set of this mass (1: off)");
  options.add("--min-p", s.min_p, "Keep what has this fraction of the best's probability (0: off)");
  options.add("--typical", s.typical_p, "Locally typical sampling (1: off)");
  options.add("--top-n-sigma", s.top_n_sigma, "Keep logits within n deviations of the best (-1: off)");
  options.add("--xtc-probability", s.xtc_probability, "Chance of excluding top choices (0: off)");
  options.add("--xtc-threshold", s.xtc_threshold, "Probability above which a choice is a top choice");
  options.add("--repeat-penalty", s.repeat_penalty, "Penalty on repeated tokens (1: off)");
  options.add("--repeat-last-n", s.penalty_last_n, "Tokens that the penalties look back on (-1: all)");
  options.add("--presence-penalty", s.presence_penalty, "Penalty on tokens that occurred (0: off)");
  options.add("--frequency-penalty", s.frequency_penalty, "Penalty by how often they occurred (0: off)");
  options.add("--dry-multiplier", s.dry_multiplier, "DRY penalty on continued repetitions (0: off)");
  options.add("--dry-base", s.dry_base, "DRY growth with the length");
  options.add("--dry-allowed-length", s.dry_allowed_length, "DRY length that is free");
  options.add("--dry-penalty-last-n", s.dry_penalty_last_n, "Tokens that DRY looks back on (-1: all)");
  options.add("--dynatemp-range", s.dynatemp_range, "Temperature varies by +- this with the entropy (0: off)");
  options.add("--dynatemp-exp", s.dynatemp_exponent, "Exponent of that variation");
  options.add("--min-keep", s.min_keep, "Truncation keeps at least so many tokens");
  options.add("--mirostat", s.mirostat, "1 or 2: hold the surprise at --mirostat-tau (0: off)");
  options.add("--mirostat-tau", s.mirostat_tau, "Target surprise in bits");
  options.add("--mirostat-eta", s.mirostat_eta, "Learning rate of mirostat");
  options.add("--logit-bias", logit_bias, "ID=VALUE added to a token's logit (-inf forbids it); may be repeated");
}

Result<hearth::SamplerOptions> SamplingSettings::resolve() const {
  hearth::SamplerOptions result = sampler;
  for (const std::string& text : logit_bias) {
    char* end = nullptr;
    errno = 0;
    const long id = std::strtol(text.c_str(), &end, 10);
    const bool has_id = end != text.c_str() && *end == '=' && errno == 0 && id >= 0 && id <= INT32_MAX;
    const char* number = has_id ? end + 1 : "";
    const float value = std::strtof(number, &end);
    if (!has_id || end == number || *end != '\0') {
      return Error{ErrorCode::kInvalidArgument, "--logit-bias: '" + text + "' is not ID=VALUE"};
    }
    result.logit_bias.emplace_back(static_cast<hearth::Token>(id), value);
  }
  return result;
}

namespace {

/// Bytes of the UTF-8 character at the front of `text` (RFC 3629), 0 when it is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool is_short_form = first == 0xE0 && second < 0xA0, is_surrogate = first == 0xED && second > 0x9F;
    return continues(1) && continues(2) && !is_short_form && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool is_short_form = first == 0xF0 && second < 0x90, is_beyond = first == 0xF4 && second > 0x8F;
    return continues(1) && continues(2) && continues(3) && !is_short_form && !is_beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

Status check_utf8(std::string_view text, const std::string& what) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      char place[64];
      std::snprintf(place, sizeof(place), ": byte 0x%02x at offset %zu", static_cast<unsigned char>(text[i]), i);
      return Error{ErrorCode::kInvalidArgument, what + " is not UTF-8" + place};
    }
    i += length;
  }
  return {};
}

std::string to_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex;
}

Result<std::string> read_text(const std::string& path) {
  const bool is_stdin = path == "-";
  std::FILE* file = is_stdin ? stdin : std::fopen(path.c_str(), "rb");
  if (!file) return Error{ErrorCode::kIo, path + ": cannot be opened: " + std::strerror(errno)};
  std::string text;
  char buffer[1 << 16];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), file)) > 0;) text.append(buffer, n);
  const int error = std::ferror(file) ? errno : 0;
  if (!is_stdin) std::fclose(file);
  const std::string name = is_stdin ? "standard input" : path;
  if (error != 0) return Error{ErrorCode::kIo, name + ": cannot be read: " + std::strerror(error)};
  return text;
}

}  // namespace hearth_tool
