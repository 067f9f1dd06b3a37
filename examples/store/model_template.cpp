// The choice between two templates.
#include "model_template.h"

#include <algorithm>
#include <optional>

#include "go_template.h"

namespace hearth_store {

using hearth::Result;

namespace {

using Capabilities = std::vector<std::string>;

bool has(const std::string& text, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return text.find(word) != text.npos; });
}

Capabilities of_jinja(const std::string& text) {
  Capabilities out;
  if (has(text, {"tools", "tool_call"})) out.emplace_back("tools");
  const bool splits_thoughts =
      has(text, {"content.split('</think>')", "content.split(\"</think>\")"}) && !has(text, {"reasoning_content"});
  const bool writes_thoughts = has(text, {"<think>"}) && has(text, {"</think>"});
  if (splits_thoughts || writes_thoughts || has(text, {"enable_thinking"})) out.emplace_back("thinking");
  return out;
}

Capabilities of_go(const GoTemplate& parsed) {
  Capabilities out;
  if (parsed.mentions("tools")) out.emplace_back("tools");
  if (parsed.mentions("suffix")) out.emplace_back("insert");
  const auto tags = parsed.thinking_tags();
  if (!tags.first.empty() && !tags.second.empty()) out.emplace_back("thinking");
  return out;
}

/// Whether results of tools find their way back into the prompt.
bool answers_tools(const std::string& jinja) {
  return has(jinja, {"tool_calls", "assistant_tool_call"}) &&
         has(jinja, {"tool_response", "tool_results", "role'] == 'tool'", "role'] == \"tool\"", "role\"] == 'tool'",
                     "role\"] == \"tool\"", "message.role == 'tool'", "message.role == \"tool\"", "ipython"});
}
bool answers_tools(const std::string& text, const GoTemplate& parsed) {
  return parsed.mentions("tools") && parsed.mentions("toolcalls") &&
         has(text, {"eq .Role \"tool\"", "tool_response", "TOOL_RESULTS"});
}

bool prefers_jinja(const std::string& jinja, const std::string& text, const GoTemplate& parsed) {
  const Capabilities theirs = of_jinja(jinja), ours = of_go(parsed);
  if (theirs.size() > ours.size()) return !answers_tools(text, parsed) || answers_tools(jinja);
  const bool same =
      theirs.size() == ours.size() && std::is_permutation(theirs.begin(), theirs.end(), ours.begin(), ours.end());
  const bool has_tools = std::find(ours.begin(), ours.end(), "tools") != ours.end();
  return same && has_tools && answers_tools(jinja) && !answers_tools(text, parsed);
}

void append(Capabilities& to, const Capabilities& more) {
  for (const std::string& one : more)
    if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
}

}  // namespace

bool TemplateChoice::can(std::string_view capability) const {
  return std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end();
}

TemplateChoice choose_template(const Entry& entry, const ModelFacts& facts) {
  TemplateChoice choice;
  const std::string& jinja = facts.chat_template;
  std::optional<GoTemplate> parsed;
  if (entry.has_template) {
    if (auto result = GoTemplate::parse(entry.template_text)) parsed = std::move(*result);
    choice.is_go = jinja.empty() || (parsed && !prefers_jinja(jinja, entry.template_text, *parsed));
  }
  if (!choice.is_go) append(choice.capabilities, of_jinja(jinja));
  append(choice.capabilities, {facts.is_encoder ? "embedding" : "completion"});
  if (choice.is_go && parsed) append(choice.capabilities, of_go(*parsed));
  if (facts.is_encoder) choice.capabilities = {"embedding"};
  choice.shown = choice.is_go ? entry.template_text : !jinja.empty() ? jinja : "{{ .Prompt }}";
  return choice;
}

Result<hearth::ChatTemplate> compile_template(const TemplateChoice& choice, const hearth::GgufFile& file,
                                              const hearth::Tokenizer& tokenizer) {
  if (!choice.is_go) return hearth::ChatTemplate::from_gguf(file, tokenizer);
  const auto parsed = GoTemplate::parse(choice.shown);
  if (!parsed) return parsed.error();
  const auto jinja = parsed->to_jinja();
  if (!jinja) return jinja.error();
  const auto text_of = [&](const std::optional<hearth::Token>& id) {
    return id ? std::string(tokenizer.piece(*id)) : std::string();
  };
  return hearth::ChatTemplate::compile(*jinja, text_of(tokenizer.bos()), text_of(tokenizer.eos()));
}

}  // namespace hearth_store
