// What the commands that run a model share: loading it, and the settings of its session.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hearth/model.h"
#include "hearth/session.h"
#include "model_names.h"
#include "options.h"
#include "sampling_settings.h"

namespace hearth_tool {

/// A model and how it is brought into memory: the positional "model" or -m, --no-mmap, --prefetch.
struct ModelSettings {
  std::string path;  ///< of a file, or a name in the store
  bool no_mmap = false, prefetch = false;

  void declare(Options& options);
};

/// Opens a model with progress on a terminal; Ctrl-C cancels it. `named` is given what the store says of it.
hearth::Result<hearth::Model> load_model(const ModelSettings& settings, NamedModel* named = nullptr);
hearth::Result<hearth::Model> load_model(const std::string& path);

/// Loads the adapters that belong to a name into session.adapters.
hearth::Status load_adapters(const NamedModel& named, const hearth::Model& model, hearth::SessionOptions& session);

/// "Small World, 4.0 M parameters, Q8_0": the name in the file, or the file's own.
std::string describe(const hearth::Model& model, const std::string& path);

/// --lora and --control-vector: files and how much of each.
struct AdapterSettings {
  std::vector<std::string> loras, control_vectors;

  void declare(Options& options);
  /// Loads them; errors name the file.
  hearth::Result<std::vector<hearth::AdapterScale>> load(const hearth::Model& model) const;
  /// The same, into session.adapters; without flags those stay, which belong to a name.
  hearth::Status load(const hearth::Model& model, hearth::SessionOptions& session) const;
};

/// The file and the scale of "FILE" or "FILE:SCALE".
std::pair<std::string, float> split_scale(const std::string& text);

/// -c, -t, --kv, -ctk, -ctv, --batch-size, --exact, --isa, --lora, --control-vector
struct SessionSettings {
  int32_t n_ctx = 0, n_threads = 0, n_batch = 512;
  std::string kv = "f16", k_type, v_type, isa;
  bool exact = false;
  AdapterSettings adapters;  ///< their load() needs the model
  hearth::RopeOptions rope;
  std::string rope_scaling;

  void declare(Options& options, bool has_batch_size = true);
  void declare_kv_types(Options& options);
  void declare_rope(Options& options);
  /// Checks the settings and forces the instruction set. Any error is one of usage.
  hearth::Result<hearth::SessionOptions> resolve() const;
};

/// What to do with a full context, and where to keep a sequence: --on-full, --keep, --session.
struct CacheSettings {
  std::string on_full = "stop", session;
  int32_t keep = 4;

  void declare(Options& options);
  void declare_keep(Options& options);  ///< all but --on-full
  /// Puts them into `options`. Any error is one of usage.
  hearth::Status resolve(hearth::GenerateOptions& options) const;
  /// Restores sequence 0 from the file, if there is one.
  hearth::Status restore(hearth::Session& of) const;
  /// Saves it there, if a file was named.
  hearth::Status save(const hearth::Session& of) const;
};

/// The context where none is asked for: what the model was trained for, or the part of it that memory allows. Sets
/// options.n_ctx.
void choose_context(const hearth::Model& model, hearth::SessionOptions& options);

/// Exit code and line for an error of Session::create: wrong flags are wrong usage.
int fail_session(const hearth::Error& error);

/// kInvalidArgument names the first byte that is not UTF-8 ("WHAT is not UTF-8: byte 0xff at offset 12").
hearth::Status check_utf8(std::string_view text, const std::string& what);

/// What a token stands for, in quotes, as JSON has it; bytes that are no character as \xe4.
std::string quoted_piece(std::string_view bytes);

/// Two lower-case digits a byte.
std::string to_hex(std::string_view bytes);

/// All bytes of a file; "-" is stdin.
hearth::Result<std::string> read_text(const std::string& path);

}  // namespace hearth_tool
