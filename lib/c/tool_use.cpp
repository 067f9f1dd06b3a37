// Twin of hearth/tool_use.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {

Result<ToolUseOptions> to_cpp(const HearthToolUseOptions* options) {
  const auto full = complete(options, hearth_tool_use_options_init);
  if (!full) return full.error();
  ToolUseOptions made;
  if (auto s = set_enum(made.choice, full->choice, ToolChoice::kNamed, "choice"); !s) return s.error();
  made.name = view(full->name);
  made.parallel = full->parallel;
  return made;
}

}  // namespace hearth::c

extern "C" {

void hearth_tool_use_options_init(HearthToolUseOptions* options) {
  const hearth::ToolUseOptions defaults;
  fill(options, {0, static_cast<int32_t>(defaults.choice), nullptr, defaults.parallel});
}

HearthCode hearth_tool_use_create(const HearthChatTemplate* chat_template, const HearthChatOptions* options,
                                  const HearthToolUseOptions* use, HearthToolUse** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat_template, "chat_template"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    const auto tools = to_cpp(use);
    if (!tools) return tools.error();
    return hand_out_handle(hearth::ToolUse::create(chat_template->compiled, *how, *tools), out);
  });
}
void hearth_tool_use_free(HearthToolUse* use) {
  delete use;
}
HearthCode hearth_tool_use_render(const HearthToolUse* use, const HearthChatMessage* messages, size_t n,
                                  HearthChatPrompt** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{use, "use"}, {out, "out"}}); !s) return s;
    const auto all = to_cpp(messages, n);
    if (!all) return all.error();
    return hand_out_handle(use->use.render(*all), out);
  });
}
HearthCode hearth_tool_use_grammar(const HearthToolUse* use, const HearthTokenizer* tokenizer, HearthGrammar** grammar,
                                   char** after, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{use, "use"}, {grammar, "grammar"}, {after, "after"}}); !s) return s;
    const auto made = use->use.grammar(tokenizer == nullptr ? nullptr : &tokenizer->tokenizer);
    if (!made) return made.error();
    Owned<char> text = copy_of(made->after);
    *grammar = made->grammar ? new HearthGrammar{*made->grammar} : nullptr;
    *after = text.release();
    return {};
  });
}
HearthCode hearth_tool_use_parser(const HearthToolUse* use, HearthChatParser** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{use, "use"}, {out, "out"}}); !s) return s;
    return hand_out_handle(use->use.parser(), out);
  });
}
bool hearth_tool_use_has_tools(const HearthToolUse* use) {
  return use != nullptr && use->use.has_tools();
}
bool hearth_tool_use_is_generic(const HearthToolUse* use) {
  return use != nullptr && use->use.is_generic();
}

}  // extern "C"
