// Vectors and scores from the engine.
#include "embeddings.h"

#include <algorithm>
#include <cmath>

#include "answering.h"

namespace hearth_server {
namespace {

using hearth::Token;

/// Token ids of an input: special tokens around a text, none around tokens.
std::vector<Token> ids_of(const LoadedModel& model, const Prompt& input, bool truncate) {
  const hearth::Tokenizer& tokenizer = model.model.tokenizer();
  std::vector<Token> ids;
  if (input.size() == 1 && !input[0].text.empty()) {
    auto encoded = tokenizer.encode(input[0].text, {.add_special = true});
    if (!encoded) throw api_error(encoded.error());
    ids = std::move(*encoded);
  } else {
    ids = encode_prompt(model, input, true);
  }
  const auto most = static_cast<size_t>(std::max(model.n_ctx, 1));
  if (ids.size() <= most) return ids;
  if (!truncate) {
    throw ApiError(400,
                   "the input length exceeds the context length: " + std::to_string(ids.size()) + " tokens, but " +
                       std::to_string(most) + " are the most",
                   "context_length_exceeded");
  }
  const Token last = ids.back();
  ids.resize(most);
  if (tokenizer.is_control(last)) ids.back() = last;
  return ids;
}

void normalize(std::vector<float>& vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * x;
  if (sum <= 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& x : vector) x = static_cast<float>(x * scale);
}

void check(const LoadedModel& model, const char* what) {
  if (!model.engine.options().embedder) {
    throw ApiError(501, std::string("this model does not make ") + what + ": it writes text");
  }
}

}  // namespace

Vectors embed(LoadedModel& model, const EmbedAsk& ask) {
  check(model, "embeddings");
  std::vector<std::vector<Token>> inputs;
  Vectors out;
  for (const Prompt& input : ask.inputs) {
    inputs.push_back(ids_of(model, input, ask.truncate));
    out.n_tokens += static_cast<int32_t>(inputs.back().size());
  }
  auto vectors = model.engine.embed_tokens(inputs);
  if (!vectors) throw api_error(vectors.error());
  for (hearth::Embedding& vector : *vectors) {
    const auto size = static_cast<int32_t>(vector.values.size());
    if (ask.dimensions < 0 || ask.dimensions > size) {
      throw ApiError(400, "'dimensions' must be between 1 and " + std::to_string(size), "", "dimensions");
    }
    if (ask.dimensions > 0) vector.values.resize(static_cast<size_t>(ask.dimensions));
    if (ask.normalize) normalize(vector.values);
    out.values.push_back(std::move(vector.values));
  }
  return out;
}

Vectors rank(LoadedModel& model, const std::string& query, const std::vector<std::string>& texts) {
  if (!model.facts.can_rank) throw ApiError(501, "this model is no reranker");
  check(model, "scores");
  const hearth::Tokenizer& tokenizer = model.model.tokenizer();
  const auto asked = tokenizer.encode(query);
  if (!asked) throw api_error(asked.error());
  std::vector<std::vector<Token>> inputs;
  Vectors out;
  for (const std::string& text : texts) {
    const auto ids = tokenizer.encode(text);
    if (!ids) throw api_error(ids.error());
    std::vector<Token> pair;
    const auto add = [&](std::optional<Token> id) {
      if (id) pair.push_back(*id);
    };
    const auto end = tokenizer.eos() ? tokenizer.eos() : tokenizer.sep();
    add(tokenizer.bos());
    pair.insert(pair.end(), asked->begin(), asked->end());
    add(end);
    add(tokenizer.sep() ? tokenizer.sep() : end);
    pair.insert(pair.end(), ids->begin(), ids->end());
    add(end);
    out.n_tokens += static_cast<int32_t>(pair.size());
    inputs.push_back(std::move(pair));
  }
  auto scores = model.engine.embed_tokens(inputs);
  if (!scores) throw api_error(scores.error());
  for (hearth::Embedding& score : *scores) out.values.push_back(std::move(score.values));
  return out;
}

}  // namespace hearth_server
