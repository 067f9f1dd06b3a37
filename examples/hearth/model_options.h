// What the commands that run a model share: loading it, session settings, sampling settings.
#pragma once

#include <string>
#include <vector>

#include "hearth/model.h"
#include "hearth/session.h"
#include "options.h"

namespace hearth_tool {

/// Opens a model with progress on a terminal; Ctrl-C cancels it.
hearth::Result<hearth::Model> load_model(const std::string& path);

/// -c, -t, --kv, -ctk, -ctv, --batch-size, --exact, --isa
struct SessionSettings {
  int32_t n_ctx = 0, n_threads = 0, n_batch = 512;
  std::string kv = "f16", k_type, v_type, isa;
  bool exact = false;

  void declare(Options& options, bool has_batch_size = true);
  void declare_kv_types(Options& options);
  /// Checks the settings and forces the instruction set.
  hearth::Result<hearth::SessionOptions> resolve() const;
};

/// The sampler's options as flags.
struct SamplingSettings {
  hearth::SamplerOptions sampler;
  std::vector<std::string> logit_bias;

  void declare(Options& options);
  /// Parses --logit-bias.
  hearth::Result<hearth::SamplerOptions> resolve() const;
};

/// kInvalidArgument names the first byte that is not UTF-8 ("WHAT is not UTF-8: byte 0xff at offset 12").
hearth::Status check_utf8(std::string_view text, const std::string& what);

/// Two lower-case digits a byte.
std::string to_hex(std::string_view bytes);

/// All bytes of a file; "-" is stdin.
hearth::Result<std::string> read_text(const std::string& path);

}  // namespace hearth_tool
