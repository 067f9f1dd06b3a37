// The language of calls: name, arguments, the texts around them; for forced calls also the reasoning before.
#include "lib/chat/call_grammar.h"

#include <algorithm>
#include <utility>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/chat/call_arguments.h"
#include "lib/grammar/grammar_impl.h"
#include "lib/grammar/json_language.h"

namespace hearth::chat {
namespace {

using grammar::Encoding;
using grammar::ExprId;
using grammar::Json;
using grammar::JsonTree;

/// Models have learned JSON with blanks after commas and colons; where those are forbidden, small ones lose their way.
constexpr JsonOptions kSpaced{.white_space = true};

/// The schema with what calls ask of it: an object, and no arguments that nobody named. Of equal keys the last counts.
std::string object_schema(const Json& schema) {
  std::string text = dump(schema);
  std::string more = schema.members.empty() ? R"("type":"object")" : R"(,"type":"object")";
  constexpr std::string_view kOpen[] = {"additionalProperties",
                                        "unevaluatedProperties",
                                        "patternProperties",
                                        "$ref",
                                        "$dynamicRef",
                                        "allOf",
                                        "anyOf",
                                        "oneOf",
                                        "if",
                                        "dependentSchemas"};
  const bool speaks =
      std::any_of(std::begin(kOpen), std::end(kOpen), [&](std::string_view word) { return schema.find(word); });
  if (!speaks) more += R"(,"additionalProperties":false)";
  return text.insert(text.size() - 1, more);
}

class CallWriter {
 public:
  CallWriter(const AnswerFormat& format, const CallGrammarOptions& options)
      : format_(format), options_(options), root_(pool_.add_rule("root")), calls_(pool_.add_rule("calls")) {
    const Tokenizer* tokenizer = options.tokenizer;
    for (Token id = 0; tokenizer && id < tokenizer->n_vocab(); ++id) {
      const bool ends = tokenizer->is_end(id);
      if ((ends || tokenizer->is_control(id)) && !tokenizer->piece(id).empty()) controls_.push_back(id);
    }
  }
  Result<Grammar> write(const std::vector<Tool>& tools);

 private:
  ExprId literal(std::string_view text);
  const Token* control_at(std::string_view text) const;
  std::string_view before_end_token(std::string_view text) const;
  ExprId rest(const std::string& join, const std::string& end);
  Result<ExprId> call(const Tool& tool);
  Result<ExprId> arguments(const Tool& tool);
  Result<ExprId> reasoning();

  const AnswerFormat& format_;
  const CallGrammarOptions& options_;
  grammar::ExprPool pool_;
  uint32_t root_, calls_;
  std::vector<Token> controls_;
};

/// The longest control token that the text begins with.
const Token* CallWriter::control_at(std::string_view text) const {
  const Token* best = nullptr;
  for (const Token& id : controls_) {
    const std::string_view piece = options_.tokenizer->piece(id);
    if (text.starts_with(piece) && (!best || piece.size() > options_.tokenizer->piece(*best).size())) best = &id;
  }
  return best;
}

std::string_view CallWriter::before_end_token(std::string_view text) const {
  for (size_t at = 0; at < text.size(); ++at) {
    const Token* id = control_at(text.substr(at));
    if (id && options_.tokenizer->is_end(*id)) return text.substr(0, at);
  }
  return text;
}

/// A text of the format: bytes, control tokens, and ids where their mark stands.
ExprId CallWriter::literal(std::string_view text) {
  std::vector<ExprId> parts;
  std::string bytes;
  const auto flush = [&] {
    if (!bytes.empty()) parts.push_back(pool_.bytes(std::exchange(bytes, {})));
  };
  while (!text.empty()) {
    size_t taken = 1;
    if (text[0] == kIdMark) {
      flush();
      grammar::CodeSet letters('0', '9');
      letters.add('a', 'z');
      letters.add('A', 'Z');
      // As some models ask for: nine of them. Where a number is meant, one stands for it.
      parts.push_back(pool_.repeat(pool_.chars(letters, Encoding::kPlain), 1, 9));
    } else if (const Token* id = control_at(text)) {
      flush();
      parts.push_back(pool_.token(*id, false));
      taken = options_.tokenizer->piece(*id).size();
    } else {
      bytes += text[0];
    }
    text.remove_prefix(taken);
  }
  flush();
  return pool_.seq(std::move(parts));
}

/// After the arguments of a call: another call, or the end.
ExprId CallWriter::rest(const std::string& join, const std::string& end) {
  std::vector<ExprId> choices = {literal(before_end_token(end))};
  const bool can_join = options_.parallel && !join.empty() && before_end_token(join).size() == join.size();
  if (can_join) choices.push_back(pool_.seq({literal(join), pool_.rule(calls_)}));
  return pool_.alt(std::move(choices));
}

/// An object of the tool's schema, or any where that is not asked for and cannot be had.
Result<ExprId> CallWriter::arguments(const Tool& tool) {
  const size_t n_rules = pool_.rules.size();
  Result<JsonTree> tree = JsonTree::parse(tool.parameters);
  if (!tree) return tree.error();
  const Result<ExprId> body = grammar::SchemaCompiler(*tree, pool_, kSpaced).run();
  if (body) return *body;
  if (tool.is_strict || options_.forced) {
    return Error{body.error().code, concat("tools, ", tool.name, ": ", body.error().message)};
  }
  for (size_t i = n_rules; i < pool_.rules.size(); ++i) {
    pool_.define(static_cast<uint32_t>(i), pool_.nothing());
  }
  return grammar::JsonLanguage(pool_, true).any_object();
}

Result<ExprId> CallWriter::call(const Tool& tool) {
  const ExprId name = pool_.bytes(tool.name);
  if (!format_.as_pairs) {
    const Result<ExprId> args = arguments(tool);
    if (!args) return args.error();
    return pool_.seq({name, literal(format_.before_args), *args, rest(format_.join, format_.end)});
  }
  Result<JsonTree> tree = JsonTree::parse(tool.parameters);
  if (!tree) return tree.error();
  grammar::SchemaCompiler schemas(*tree, pool_, kSpaced);
  const auto write = [this](std::string_view text) { return literal(text); };
  Result<PairList> list = write_pairs(format_, tree->root(), schemas, pool_, write);
  if (!list) return Error{list.error().code, concat(tool.name, ": ", list.error().message)};
  if (Status status = schemas.finish(); !status) return status.error();
  std::vector<ExprId> choices;
  if (list->pairs != grammar::kUndefined) {
    choices.push_back(pool_.seq({literal(format_.before_args), list->pairs, rest(format_.join, format_.end)}));
  }
  if (list->may_be_empty) choices.push_back(rest(format_.no_args_join, format_.no_args_end));
  return pool_.seq({name, pool_.alt(std::move(choices))});
}

/// Thinking up to its end; nothing where the format has none, or ends it by more than a marker.
Result<ExprId> CallWriter::reasoning() {
  const std::string_view end = without_blanks(format_.reasoning_end);
  if (!format_.has_reasoning || end.empty() || !without_blanks(format_.glue).empty()) return pool_.empty();
  const ExprId thought = pool_.text(texts_without(end), Encoding::kPlain);
  const std::string_view with_tail = std::string_view(format_.reasoning_end).substr(format_.reasoning_end.find(end));
  const ExprId body = pool_.seq({thought, literal(with_tail)});
  if (format_.begins_in_reasoning) return body;
  return pool_.optional(pool_.seq({literal(without_blanks(format_.reasoning_begin)), body}));
}

Result<Grammar> CallWriter::write(const std::vector<Tool>& tools) {
  std::vector<ExprId> choices;
  for (const Tool& tool : tools) {
    const Result<ExprId> one = call(tool);
    if (!one) return one.error();
    choices.push_back(*one);
  }
  pool_.define(calls_, pool_.alt(std::move(choices)));
  const ExprId begin = literal(std::string_view(format_.begin).substr(options_.after.size()));
  ExprId body = pool_.seq({begin, pool_.rule(calls_)});
  if (options_.forced) {
    const Result<ExprId> thinking = reasoning();
    if (!thinking) return thinking.error();
    body = pool_.seq({*thinking, body});
  }
  if (!options_.forced && format_.begin.empty()) {
    const ExprId any = pool_.repeat(pool_.chars(grammar::CodeSet::all(), Encoding::kPlain), 0, -1);
    body = pool_.alt({pool_.seq({literal(format_.content_begin), any}), body});
  }
  pool_.define(root_, body);
  Result<Grammar> grammar = GrammarInternals::make(pool_);
  if (grammar && GrammarInternals::program(*grammar).is_empty) {
    return Error{ErrorCode::kInvalidArgument, "tools: no arguments satisfy the schema"};
  }
  return grammar;
}

Result<Tool> read_tool(const Json& entry, size_t number) {
  const std::string where = concat("tools[", number, "]: ");
  const Json* function = entry.is_object() ? entry.find("function", Json::Kind::kObject) : nullptr;
  if (!function) function = &entry;
  const Json* name = function->is_object() ? function->find("name", Json::Kind::kString) : nullptr;
  if (!name || name->text.empty()) return Error{ErrorCode::kFormat, where + "a function with a name is expected"};
  if (name->text.size() > 200 || name->text.find_first_of(" \n\t\"'\\<>{}()[]\x01") != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 concat(where, "the name ", quoted(name->text), " cannot be written in calls")};
  }
  Tool tool{.name = name->text, .parameters = R"({"type":"object","additionalProperties":false})"};
  const Json* strict = function->find("strict");
  tool.is_strict = strict && strict->is(Json::Kind::kTrue);
  const Json* parameters = function->find("parameters");
  if (!parameters || parameters->is(Json::Kind::kNull)) return tool;
  if (!parameters->is_object()) {
    return Error{ErrorCode::kInvalidArgument, where + "parameters must be the schema of an object"};
  }
  tool.parameters = object_schema(*parameters);
  return tool;
}

}  // namespace

Result<std::vector<Tool>> read_tools(std::string_view tools_json) {
  const Result<JsonTree> tree = JsonTree::parse(tools_json);
  if (!tree) return Error{tree.error().code, "tools: " + tree.error().message};
  if (!tree->root().is_array()) return Error{ErrorCode::kFormat, "tools: a JSON array is expected"};
  std::vector<Tool> tools;
  for (const Json* entry : tree->root().items) {
    Result<Tool> tool = read_tool(*entry, tools.size());
    if (!tool) return tool.error();
    tools.push_back(std::move(*tool));
  }
  return tools;
}

Result<Grammar> call_grammar(const AnswerFormat& format, const std::vector<Tool>& tools,
                             const CallGrammarOptions& options) {
  return CallWriter(format, options).write(tools);
}

/// A marker at the beginning, or all of it up to an id; not what also begins other parts of an answer.
std::string call_trigger(const AnswerFormat& format) {
  const std::string whole = format.begin.substr(0, format.begin.find(kIdMark));
  const std::string first = whole.substr(0, std::min(whole.find_first_of(">]"), whole.size() - 1) + 1);
  const auto is_elsewhere = [&](const std::string& text) {
    return format.content_begin.find(first) != std::string::npos ||
           format.reasoning_begin.find(first) != std::string::npos ||
           format.reasoning_end.find(first) != std::string::npos || text.find(first) != std::string::npos;
  };
  if (whole.empty()) return {};
  return first.size() >= 4 && !is_elsewhere(format.glue) ? first : whole;
}

}  // namespace hearth::chat
