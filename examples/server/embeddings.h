// Vectors of texts, and scores of texts for a question.
#pragma once

#include <string>
#include <vector>

#include "ask.h"
#include "models.h"

namespace hearth_server {

struct Vectors {
  std::vector<std::vector<float>> values;
  int32_t n_tokens = 0;
};

struct EmbedAsk {
  std::vector<Prompt> inputs{};
  bool normalize = true;
  bool truncate = false;   ///< cut what the model cannot hold; otherwise it is an error
  int32_t dimensions = 0;  ///< keep so many; 0: all
};

/// ApiError (501 or 400) for a model that makes none.
Vectors embed(LoadedModel& model, const EmbedAsk& ask);
/// How well each text answers the query; higher is better. ApiError (501) for a model that is no reranker.
Vectors rank(LoadedModel& model, const std::string& query, const std::vector<std::string>& texts);

}  // namespace hearth_server
