// What `hearth serve` is told, and its run from the first line to the last.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "hearth/session.h"

namespace hearth_server {

struct ServeSettings {
  std::vector<std::string> models;   ///< files
  std::vector<std::string> folders;  ///< of files, or stores of Ollama
  std::vector<std::string> hosts;    ///< empty: OLLAMA_HOST, or 127.0.0.1 and ::1
  int port = 0;                      ///< 0: that of OLLAMA_HOST, or 11434
  std::string unix_path;
  hearth::SessionOptions session{};  ///< n_ctx: of one answer
  int parallel = 0;                  ///< 0: OLLAMA_NUM_PARALLEL, or 4
  int max_queue = 256;
  std::vector<std::pair<std::string, float>> loras;  ///< files of adapters, and how much of each
  std::string draft;                                 ///< a smaller model that guesses ahead
  bool lookup = false;                               ///< guess by what stands in the text
  bool mtp = false;                                  ///< guess with the layer of models that have one for that
  int32_t max_draft = 16;
  int32_t reuse_stretches = 0;  ///< of requests that say nothing (GenerateOptions::reuse_stretches)
  int max_loaded = 0;           ///< 0: OLLAMA_MAX_LOADED_MODELS, or 3
  std::string keep_alive;       ///< empty: OLLAMA_KEEP_ALIVE, or 5m
  std::string api_key, api_key_file;
  std::vector<std::string> cors;
  bool metrics = false;
  std::string slot_folder;         ///< of files that slots are saved to; empty: they are not
  int max_upload = 256;            ///< gigabytes (2^30 bytes) of a file that clients upload; 0: they may not
  int drain_seconds = 30;          ///< for what runs when SIGTERM comes
  std::string log_level = "info";  ///< none, error, info
};

/// Serves until `stop` becomes true. Returns an exit code; messages go to standard error.
int serve(const ServeSettings& settings, const std::atomic<bool>& stop);

}  // namespace hearth_server
