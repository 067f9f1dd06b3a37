// GET /v1/models, POST /v1/embeddings.
#include <cstring>

#include "../store/base64.h"
#include "embeddings.h"
#include "fields.h"
#include "openai.h"
#include "server.h"

namespace hearth_server {
namespace {

Json model_json(const ModelStore& store, const ModelEntry& entry) {
  const ModelFacts facts = store.facts(entry);
  return {{"id", entry.short_name()},
          {"object", "model"},
          {"created", std::max<int64_t>(entry.modified, 1500000000)},
          {"owned_by", "hearth"},
          {"meta",
           {{"n_ctx_train", facts.n_ctx_train},
            {"n_embd", facts.d_model},
            {"n_params", facts.n_parameters},
            {"size", entry.bytes}}}};
}

HttpReply list_models(Context& context) {
  const auto listing = context.server.store().recent();
  HttpReply reply = json_reply(Json::object());
  if (auto text = context.server.listing_text().find(listing)) {
    reply.body = std::move(*text);
    return reply;
  }
  Json data = Json::array();
  for (const ModelEntry& entry : *listing) data.push_back(model_json(context.server.store(), entry));
  reply.body = to_text({{"object", "list"}, {"data", std::move(data)}});
  context.server.listing_text().keep(listing, reply.body);
  return reply;
}

HttpReply one_model(Context& context) {
  const ModelEntry entry = context.server.models().find(context.tail, false);
  Json model = model_json(context.server.store(), entry);
  model["id"] = context.tail;
  return json_reply(model);
}

std::string base64(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  return hearth_store::base64(bytes);
}

HttpReply embeddings(Context& context) {
  const Json body = context.body();
  EmbedAsk ask;
  ask.inputs = read_prompts(body, "input");
  for (const Prompt& input : ask.inputs) {
    if (input.size() == 1 && input[0].text.empty() && input[0].tokens.empty()) {
      throw ApiError(400, "'input' must not be empty", "", "input");
    }
  }
  const std::string format = text_or(body, "encoding_format", "float");
  if (format != "float" && format != "base64") {
    throw ApiError(400, "'encoding_format' must be float or base64", "", "encoding_format");
  }
  ask.dimensions = static_cast<int32_t>(std::clamp<int64_t>(int_field(body, "dimensions").value_or(0), -1, INT32_MAX));
  std::string name = text_or(body, "model");
  const Lease lease = context.server.models().use(name, true);
  if (name.empty()) name = lease.entry.short_name();
  const Vectors vectors = embed(*lease, ask);
  Json data = Json::array();
  for (size_t i = 0; i < vectors.values.size(); ++i) {
    const auto& values = vectors.values[i];
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", format == "base64" ? Json(base64(values)) : Json(values)}});
  }
  return json_reply({{"object", "list"},
                     {"data", std::move(data)},
                     {"model", name},
                     {"usage", {{"prompt_tokens", vectors.n_tokens}, {"total_tokens", vectors.n_tokens}}}});
}

}  // namespace

std::span<const Route> openai_embedding_routes() {
  static const Route kRoutes[] = {
      {"GET", "/v1/models", list_models, nullptr, true},
      {"GET", "/models", list_models},
      {"GET", "/v1/models/", one_model},
      {"POST", "/v1/embeddings", embeddings},
  };
  return kRoutes;
}

}  // namespace hearth_server
