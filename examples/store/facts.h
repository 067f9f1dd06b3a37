// What a model's file says of itself, read without touching the weights.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hearth_store {

struct ModelFacts {
  std::string architecture{}, name{}, quantization{};
  int64_t n_parameters = 0;
  int32_t n_ctx_train = 0, d_model = 0;
  bool is_encoder = false;  ///< makes vectors, no text
  bool can_rank = false;    ///< a reranker
  bool has_tools = false, can_think = false, can_insert = false;
  std::string chat_template{};  ///< empty: none
  /// What its makers recommend (general.sampling.*), by the names of requests: temperature, top_k, ...
  std::vector<std::pair<std::string, double>> sampling{};

  std::string parameter_size() const;  ///< "4.2M"
};

/// Empty facts when the file cannot be read.
ModelFacts read_facts(const std::string& path);

/// The config of a manifest for such a file.
std::string config_text(const ModelFacts& facts);

}  // namespace hearth_store
