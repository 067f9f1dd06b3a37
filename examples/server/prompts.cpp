// Prompts: conversations, texts, tokens, and text between two texts.
#include <algorithm>

#include "answering.h"

namespace hearth_server {

using hearth::Token;

std::vector<Token> encode_prompt(const LoadedModel& model, const Prompt& prompt, bool add_special) {
  const hearth::Tokenizer& tokenizer = model.model.tokenizer();
  std::vector<Token> ids;
  for (const PromptPart& part : prompt) {
    for (const Token id : part.tokens) {
      if (id < 0 || id >= model.model.info().n_vocab) {
        throw ApiError(400, "token " + std::to_string(id) + " is outside the vocabulary of " +
                                std::to_string(model.model.info().n_vocab) + " tokens");
      }
      ids.push_back(id);
    }
    if (part.text.empty()) continue;
    const auto encoded =
        tokenizer.encode(part.text, {.add_special = add_special && ids.empty(), .parse_special = true});
    if (!encoded) throw api_error(encoded.error());
    ids.insert(ids.end(), encoded->begin(), encoded->end());
  }
  if (ids.empty()) {  // an empty text is answered as the beginning of one
    if (const auto bos = tokenizer.bos(); bos && add_special) ids.push_back(*bos);
  }
  if (ids.empty()) throw ApiError(400, "the prompt is empty", "", "prompt");
  return ids;
}

hearth::ChatPrompt render_chat(const Ask& ask) {
  std::vector<hearth::ChatMessage> messages = ask.messages;
  std::string begun;  // an answer that the client began is gone on with
  if (messages.size() > 1 && messages.back().role == "assistant" && messages.back().tool_calls.empty()) {
    begun = std::move(messages.back().content);
    messages.pop_back();
  }
  auto prompt = ask.tools->render(messages);
  if (!prompt) throw ApiError(400, "the chat template does not take these messages: " + prompt.error().message);
  if (!begun.empty()) prompt->pieces.push_back({std::move(begun), false});
  return std::move(*prompt);
}

namespace {

/// The first of some spellings that the vocabulary has.
std::string first_of(const hearth::Tokenizer& tokenizer, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (tokenizer.find(name)) return name;
  return {};
}

}  // namespace

Prompt infill_prompt(const LoadedModel& model, const std::string& before, const std::string& after) {
  const hearth::Tokenizer& tokenizer = model.model.tokenizer();
  if (model.infills_by_template) {
    const auto text = model.chat->render_json(Json({{"prompt", before}, {"suffix", after}}).dump());
    if (!text) throw ApiError(400, "the template does not take these texts: " + text.error().message);
    return {{*text, {}}};
  }
  std::string marks[3] = {first_of(tokenizer, {"<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<PRE>", "▁<PRE>",
                                               "<｜fim▁begin｜>", "<|code_prefix|>", "[PREFIX]"}),
                          first_of(tokenizer, {"<|fim_suffix|>", "<fim_suffix>", "<fim-suffix>", "<SUF>", "▁<SUF>",
                                               "<｜fim▁hole｜>", "<|code_suffix|>", "[SUFFIX]"}),
                          first_of(tokenizer, {"<|fim_middle|>", "<fim_middle>", "<fim-middle>", "<MID>", "▁<MID>",
                                               "<｜fim▁end｜>", "<|code_middle|>", "[MIDDLE]"})};
  const char* keys[3] = {"fim_pre", "fim_suf", "fim_mid"};
  Prompt prompt;
  for (int i = 0; i < 3; ++i) {
    const auto id = model.model.file().get_int(std::string("tokenizer.ggml.") + keys[i] + "_token_id");
    std::optional<Token> token = marks[i].empty() ? std::nullopt : tokenizer.find(marks[i]);
    if (id) token = static_cast<Token>(*id);
    if (!token) throw ApiError(501, "this model has no tokens for text between two texts (fill-in-the-middle)");
    prompt.push_back({"", {*token}});
    if (i < 2) {
      const auto ids = tokenizer.encode(i == 0 ? before : after);
      if (!ids) throw api_error(ids.error());
      prompt.push_back({"", *ids});
    }
  }
  return prompt;
}

}  // namespace hearth_server
