// Loading a model and turning flags into options.
#include "model_options.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

#include "../store/store.h"
#include "../store/system.h"
#include "available_memory.h"
#include "hearth/cpu.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

void ModelSettings::declare(Options& options) {
  options.add("model,-m,--model", path, "!GGUF file, or a name of hearth list");
  options.add("--no-mmap", no_mmap, "Read the weights into memory instead of mapping the file");
  options.add("--prefetch", prefetch, "Read the whole file now instead of as it is needed");
}

Result<hearth::Model> load_model(const ModelSettings& settings, NamedModel* named) {
  auto found = find_model(settings.path);
  if (!found) return found.error();
  Progress progress("loading " + settings.path);
  hearth::ModelOptions options{.use_mmap = !settings.no_mmap, .prefetch = settings.prefetch};
  options.progress = [&](uint64_t done, uint64_t total) {
    progress.update(done, total);
    return !interrupted();
  };
  auto model = hearth::Model::open(found->path, options);
  progress.clear();
  if (model) show_warning(model->tokenizer().warning());
  if (named != nullptr) *named = std::move(*found);
  return model;
}

Result<hearth::Model> load_model(const std::string& path) {
  return load_model(ModelSettings{.path = path});
}

std::string describe(const hearth::Model& model, const std::string& path) {
  const hearth::ModelInfo& info = model.info();
  const std::string name = info.name.empty() ? path.substr(path.rfind('/') + 1) : info.name;
  const auto n = static_cast<double>(info.n_parameters);
  char size[32];
  std::snprintf(size, sizeof size, "%.1f %c", n >= 1e9 ? n / 1e9 : n / 1e6, n >= 1e9 ? 'B' : 'M');
  return printable(name, false, 48) + ", " + size + " parameters, " + info.quantization;
}

void choose_context(const hearth::Model& model, hearth::SessionOptions& options) {
  const int32_t trained = model.info().n_ctx_train;
  if (options.n_ctx != 0 || trained <= 0 || !model.info().causal) return;
  const uint64_t available = available_memory();
  // Nine tenths, so that the machine has room besides.
  const auto fits = [&](int32_t n_ctx) {
    hearth::SessionOptions tried = options;
    tried.n_ctx = n_ctx;
    const auto plan = model.plan(tried);
    return plan && (available == 0 || plan->total() <= available / 10 * 9);
  };
  options.n_ctx = trained;
  while (options.n_ctx > 512 && !fits(options.n_ctx)) options.n_ctx = std::max(options.n_ctx / 2, 512);
}

Status load_adapters(const NamedModel& named, const hearth::Model& model, hearth::SessionOptions& session) {
  if (!named.entry) return {};
  for (const std::string& path : named.entry->adapters) {
    auto adapter = hearth::Adapter::load(path, model);
    if (!adapter) return adapter.error();
    session.adapters.push_back({std::move(*adapter), 1});
  }
  return {};
}

int fail_session(const hearth::Error& error) {
  if (error.code == ErrorCode::kInvalidArgument) return fail_usage(error.message);
  if (error.code == ErrorCode::kOutOfMemory) {
    return fail(error.message + "; a smaller context (-c) or --batch-size takes less, see inspect --plan");
  }
  return fail(error);
}

void SessionSettings::declare(Options& options, bool has_batch_size) {
  options.add("-c,--ctx,--ctx-size", n_ctx,
              "Context: tokens that fit (0: as many as the model was trained for, if memory allows)");
  options.add("-t,--threads", n_threads, "Threads (0: the physical cores that this process may use)");
  declare_kv_types(options);
  if (has_batch_size) options.add("--batch-size", n_batch, "Prompt tokens computed at a time");
  options.add("--exact", exact, "Multiply quantised weights by float activations, not 8-bit ones (slower)");
  options.add("--isa", isa, "Instruction set to use instead of the best one, e.g. scalar or avx2");
  adapters.declare(options);
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

void SessionSettings::declare_rope(Options& options) {
  options.add("--rope-scaling", rope_scaling, "Stretch the context: none, linear or yarn (default: the model's own)");
  options.add("--rope-freq-base", rope.freq_base, "Base of the rotary frequencies (0: the model's)");
  options.add("--rope-freq-scale", rope.freq_scale, "Factor on positions; 0.25 stretches four times (0: the model's)");
  options.add("--yarn-orig-ctx", rope.yarn_orig_ctx, "YaRN: context before stretching (0: the model's)");
  options.add("--yarn-ext-factor", rope.yarn_ext_factor, "YaRN: share of the frequencies that it keeps apart (-1: 1)");
  options.add("--yarn-attn-factor", rope.yarn_attn_factor, "Factor on cos and sin where YaRN does not set it");
  options.add("--yarn-beta-fast", rope.yarn_beta_fast, "YaRN: turns from which a frequency is kept (0: the model's)");
  options.add("--yarn-beta-slow", rope.yarn_beta_slow, "YaRN: turns below which it is stretched (0: the model's)");
}

void CacheSettings::declare(Options& options) {
  options.add(
      "--on-full", on_full,
      "When the context is full: stop, shift (forget the older half) or window (forget the oldest, bit by bit)");
  declare_keep(options);
}

void CacheSettings::declare_keep(Options& options) {
  options.add("--keep", keep, "Tokens at the beginning that shift and window never forget");
  options.add("--session", session, "File that the keys and values are restored from and saved to");
}

Status CacheSettings::resolve(hearth::GenerateOptions& options) const {
  for (const hearth::OnFull way : {hearth::OnFull::kStop, hearth::OnFull::kShift, hearth::OnFull::kWindow}) {
    if (on_full != hearth::on_full_name(way)) continue;
    options.on_full = way;
    options.keep = keep;
    options.continue_cache = !session.empty();
    return {};
  }
  return Error{ErrorCode::kInvalidArgument, "--on-full: '" + on_full + "' is not stop, shift or window"};
}

Status CacheSettings::restore(hearth::Session& of) const {
  if (session.empty()) return {};
  const Status status = of.restore(0, session);
  return !status && status.error().code == ErrorCode::kNotFound ? Status() : status;
}

Status CacheSettings::save(const hearth::Session& of) const {
  return session.empty() ? Status() : of.save(0, session);
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
  } else {
    show_warning(hearth::isa_override_error());
  }
  result.n_ctx = n_ctx;
  result.n_threads = n_threads;
  result.n_batch = n_batch;
  result.exact_products = exact;
  result.rope = rope;
  const std::pair<const char*, hearth::RopeScalingType> scalings[] = {{"", hearth::RopeScalingType::kModel},
                                                                      {"none", hearth::RopeScalingType::kNone},
                                                                      {"linear", hearth::RopeScalingType::kLinear},
                                                                      {"yarn", hearth::RopeScalingType::kYarn}};
  const auto* scaling =
      std::find_if(std::begin(scalings), std::end(scalings), [&](const auto& s) { return rope_scaling == s.first; });
  if (scaling == std::end(scalings)) {
    return Error{ErrorCode::kInvalidArgument, "--rope-scaling: '" + rope_scaling + "' is not none, linear or yarn"};
  }
  result.rope.scaling = scaling->second;
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

std::string quoted_piece(std::string_view bytes) {
  std::string out = "\"";
  for (size_t i = 0; i < bytes.size();) {
    const size_t length = utf8_length(bytes.substr(i));
    const std::string_view character = bytes.substr(i, std::max<size_t>(length, 1));
    const char c = character[0];
    if (length == 0) {
      out += "\\x" + to_hex(character);
    } else if (c == '\n' || c == '\t') {
      out += c == '\n' ? "\\n" : "\\t";
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += printable(character);
    }
    i += character.size();
  }
  return out + '"';
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
  const int opened = is_stdin ? -1 : hearth_store::open_file(hearth_store::path_of(path), hearth_store::Open::kRead);
  std::FILE* file = is_stdin ? stdin : opened >= 0 ? ::fdopen(opened, "rb") : nullptr;
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
