// What an answer must look like, as a grammar for the engine.
#include "answering.h"
#include "fields.h"
#include "hearth/grammar.h"

namespace hearth_server {
namespace {

/// Models have learned JSON with blanks after commas and colons; where those are forbidden, small ones lose their way.
constexpr hearth::JsonOptions kSpaced{.white_space = true};

/// A call as the parser reads it: {"name": ..., "arguments": ...} of one of the tools.
std::string calls_schema(const Ask& ask) {
  Json options = Json::array();
  for (const Json& tool : Json::parse(ask.tools_json)) {
    const Json& function = tool["function"];
    if (ask.tool_choice == ToolChoice::kNamed && function["name"] != ask.tool_name) continue;
    Json parameters = function["parameters"];
    // Arguments that a tool does not name are of no use to it.
    if (!parameters.contains("additionalProperties")) parameters["additionalProperties"] = false;
    options.push_back({{"type", "object"},
                       {"properties", {{"name", {{"const", function["name"]}}}, {"arguments", std::move(parameters)}}},
                       {"required", Json::array({"name", "arguments"})},
                       {"additionalProperties", false}});
  }
  if (options.empty()) throw ApiError(400, "'tool_choice' names a tool that is not among 'tools'", "", "tool_choice");
  return to_text(options.size() == 1 ? options[0] : Json{{"anyOf", options}});
}

hearth::Result<hearth::Grammar> make_grammar(const LoadedModel& model, const Ask& ask, bool forced) {
  if (forced) return hearth::Grammar::from_json_schema(calls_schema(ask), kSpaced);
  if (ask.format == Format::kGrammar) {
    return hearth::Grammar::from_gbnf(ask.format_text, &model.model.tokenizer());
  }
  const bool any = ask.format == Format::kJson;
  return hearth::Grammar::from_json_schema(any ? R"({"type": "object"})" : ask.format_text, kSpaced);
}

}  // namespace

void apply_format(const LoadedModel& model, Ask& ask) {
  const bool forced = ask.tool_choice == ToolChoice::kRequired || ask.tool_choice == ToolChoice::kNamed;
  if (forced && ask.tools_json.empty()) throw ApiError(400, "'tool_choice' asks for a tool, but there are none");
  if (!forced && ask.format == Format::kAny) return;
  auto grammar = make_grammar(model, ask, forced);
  if (!grammar) throw ApiError(400, "the answer's format cannot be kept: " + grammar.error().message);
  ask.generate.grammar = std::move(*grammar);
}

}  // namespace hearth_server
