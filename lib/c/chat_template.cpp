// Twin of hearth/chat_template.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {

Result<std::vector<ChatMessage>> to_cpp(const HearthChatMessage* messages, size_t n) {
  std::vector<ChatMessage> all;
  if (n > 0) {
    if (auto s = needs({{messages, "messages"}}); !s) return s.error();
  }
  for (size_t i = 0; i < n; ++i) {
    const auto full = complete(item(messages, i), hearth_chat_message_init);
    if (!full) return full.error();
    ChatMessage made;
    made.role = view(full->role);
    made.content = view(full->content);
    made.content_parts_json = view(full->content_parts_json);
    made.reasoning = view(full->reasoning);
    if (full->n_tool_calls > 0) {
      if (auto s = needs({{full->tool_calls, "tool_calls"}}); !s) return s.error();
    }
    for (size_t k = 0; k < full->n_tool_calls; ++k) {
      const HearthToolCall& one = full->tool_calls[k];
      made.tool_calls.push_back({.id = std::string(view(one.id)),
                                 .name = std::string(view(one.name)),
                                 .arguments_json = std::string(view(one.arguments_json))});
    }
    made.tool_call_id = view(full->tool_call_id);
    made.name = view(full->name);
    made.no_content = full->no_content;
    made.more_json = view(full->more_json);
    all.push_back(std::move(made));
  }
  return all;
}

Result<ChatOptions> to_cpp(const HearthChatOptions* options) {
  const auto full = complete(options, hearth_chat_options_init);
  if (!full) return full.error();
  ChatOptions made;
  made.add_generation_prompt = full->add_generation_prompt;
  made.tools_json = view(full->tools_json);
  if (full->n_variables > 0) {
    if (auto s = needs({{full->variables, "variables"}}); !s) return s.error();
  }
  for (size_t i = 0; i < full->n_variables; ++i) {
    made.variables.push_back({std::string(view(full->variables[i].name)), std::string(view(full->variables[i].json))});
  }
  made.now = full->now;
  return made;
}

std::vector<HearthToolCall> calls_of(const std::vector<ToolCall>& calls) {
  std::vector<HearthToolCall> made;
  made.reserve(calls.size());
  for (const ToolCall& one : calls) made.push_back({one.id.c_str(), one.name.c_str(), one.arguments_json.c_str()});
  return made;
}

HearthChatMessage to_c(const ChatMessage& message, const std::vector<HearthToolCall>& calls) {
  HearthChatMessage made{};
  made.size = sizeof made;
  made.role = message.role.c_str();
  made.content = message.content.c_str();
  made.content_parts_json = message.content_parts_json.c_str();
  made.reasoning = message.reasoning.c_str();
  made.tool_calls = calls.data();
  made.n_tool_calls = calls.size();
  made.tool_call_id = message.tool_call_id.c_str();
  made.name = message.name.c_str();
  made.no_content = message.no_content;
  made.more_json = message.more_json.c_str();
  return made;
}

}  // namespace hearth::c

extern "C" {

void hearth_chat_message_init(HearthChatMessage* message) {
  fill(message, HearthChatMessage{});
}
void hearth_chat_options_init(HearthChatOptions* options) {
  const hearth::ChatOptions defaults;
  HearthChatOptions full{};
  full.add_generation_prompt = defaults.add_generation_prompt;
  full.now = defaults.now;
  fill(options, full);
}

HearthCode hearth_chat_prompt_create(const HearthChatPiece* pieces, size_t n, HearthChatPrompt** out,
                                     HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    if (n > 0) {
      if (auto s = needs({{pieces, "pieces"}}); !s) return s;
    }
    auto made = std::make_unique<HearthChatPrompt>();
    for (size_t i = 0; i < n; ++i) {
      made->prompt.pieces.push_back({std::string(view(pieces[i].text.data, pieces[i].text.size)), pieces[i].trusted});
    }
    *out = made.release();
    return {};
  });
}
void hearth_chat_prompt_free(HearthChatPrompt* prompt) {
  delete prompt;
}
bool hearth_chat_prompt_pieces(const HearthChatPrompt* prompt, size_t i, HearthChatPiece* out) {
  if (prompt == nullptr || i >= prompt->prompt.pieces.size()) return false;
  if (out != nullptr) *out = {lend(prompt->prompt.pieces[i].text), prompt->prompt.pieces[i].trusted};
  return true;
}
HearthCode hearth_chat_prompt_text(const HearthChatPrompt* prompt, char** text, size_t* text_size, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{prompt, "prompt"}, {text, "text"}}); !s) return s;
    std::string joined;
    for (const auto& piece : prompt->prompt.pieces) joined += piece.text;
    return hand_out(joined, text, text_size);
  });
}

HearthCode hearth_chat_template_compile(const char* source, size_t source_size, const char* bos, const char* eos,
                                        HearthChatTemplate** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{source, "source"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::ChatTemplate::compile(view(source, source_size), view(bos), view(eos)), out);
  });
}
HearthCode hearth_chat_template_from_gguf(const HearthGgufFile* file, const HearthTokenizer* tokenizer,
                                          HearthChatTemplate** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{file, "file"}, {tokenizer, "tokenizer"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::ChatTemplate::from_gguf(file->file, tokenizer->tokenizer), out);
  });
}
void hearth_chat_template_free(HearthChatTemplate* chat_template) {
  delete chat_template;
}
HearthCode hearth_chat_template_render(const HearthChatTemplate* chat_template, const HearthChatMessage* messages,
                                       size_t n, const HearthChatOptions* options, HearthChatPrompt** out,
                                       HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat_template, "chat_template"}, {out, "out"}}); !s) return s;
    const auto all = to_cpp(messages, n);
    if (!all) return all.error();
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(chat_template->compiled.render(*all, *how), out);
  });
}
HearthCode hearth_chat_template_render_json(const HearthChatTemplate* chat_template, const char* variables_json,
                                            size_t json_size, int64_t now, char** text, size_t* text_size,
                                            HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat_template, "chat_template"}, {text, "text"}}); !s) return s;
    const auto made = chat_template->compiled.render_json(view(variables_json, json_size), now);
    if (!made) return made.error();
    return hand_out(*made, text, text_size);
  });
}
HearthCode hearth_chat_template_encode(const HearthChatPrompt* prompt, const HearthTokenizer* tokenizer, int32_t** ids,
                                       size_t* n, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{prompt, "prompt"}, {tokenizer, "tokenizer"}, {ids, "ids"}, {n, "n"}}); !s) return s;
    const auto made = hearth::ChatTemplate::encode(prompt->prompt, tokenizer->tokenizer);
    if (!made) return made.error();
    return hand_out(std::span<const int32_t>(*made), ids, n);
  });
}
HearthText hearth_chat_template_source(const HearthChatTemplate* chat_template) {
  return chat_template == nullptr ? lend({}) : lend(chat_template->compiled.source());
}
HearthText hearth_chat_template_warning(const HearthChatTemplate* chat_template) {
  return chat_template == nullptr ? lend({}) : lend(chat_template->compiled.warning());
}

}  // extern "C"
