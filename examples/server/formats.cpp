// What an answer must look like, as a grammar for the engine.
#include "answering.h"
#include "hearth/grammar.h"

namespace hearth_server {
namespace {

/// Models have learned JSON with blanks after commas and colons; where those are forbidden, small ones lose their way.
constexpr hearth::JsonOptions kSpaced{.white_space = true};

hearth::Result<hearth::Grammar> make_grammar(const LoadedModel& model, const Ask& ask) {
  if (ask.format == Format::kGrammar) {
    return hearth::Grammar::from_gbnf(ask.format_text, &model.model.tokenizer());
  }
  const bool any = ask.format == Format::kJson;
  return hearth::Grammar::from_json_schema(any ? R"({"type": "object"})" : ask.format_text, kSpaced);
}

}  // namespace

void use_tools(const LoadedModel& model, Ask& ask) {
  if (!ask.is_chat) return;
  if (!model.chat) throw ApiError(400, "the chat template of this model cannot be used");
  hearth::ChatOptions options{.tools_json = ask.tools_json, .variables = ask.variables};
  if (ask.thinking) options.variables.emplace_back("enable_thinking", *ask.thinking ? "true" : "false");
  auto tools = hearth::ToolUse::create(
      *model.chat, options, {.choice = ask.tool_choice, .name = ask.tool_name, .parallel = ask.parallel_tools});
  if (!tools) throw ApiError(400, tools.error().message, "", "tools");
  ask.tools = std::move(*tools);
}

void apply_format(const LoadedModel& model, Ask& ask) {
  const bool forced = ask.tool_choice == ToolChoice::kRequired || ask.tool_choice == ToolChoice::kNamed;
  if (!forced && ask.format != Format::kAny) {
    auto grammar = make_grammar(model, ask);
    if (!grammar) throw ApiError(400, "the answer's format cannot be kept: " + grammar.error().message);
    ask.generate.grammar = std::move(*grammar);
  } else if (ask.tools && ask.tools->has_tools()) {
    auto calls = ask.tools->grammar(&model.model.tokenizer());
    if (!calls) throw ApiError(400, "calls cannot be kept to their schemas: " + calls.error().message, "", "tools");
    ask.generate.grammar = std::move(calls->grammar);
    ask.generate.grammar_after = std::move(calls->after);
  }
}

}  // namespace hearth_server
