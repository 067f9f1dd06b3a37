// hearth grammar: how far a text goes along with a grammar.
#include <algorithm>
#include <memory>

#include "commands.h"
#include "grammar_settings.h"
#include "json_output.h"
#include "model_options.h"

namespace hearth_tool {
namespace {

struct GrammarCommand {
  std::string file, text;
  bool json = false, spaces = false, any_order = false, has_text = false;
};

hearth::Result<hearth::Grammar> open_grammar(const GrammarCommand& o) {
  const auto source = read_text(o.file);
  if (!source) return source.error();
  const size_t first = source->find_first_not_of(" \t\r\n");
  if (first != std::string::npos && (*source)[first] == '{') {
    return hearth::Grammar::from_json_schema(*source, {.any_order = o.any_order, .white_space = o.spaces});
  }
  return hearth::Grammar::from_gbnf(*source);
}

/// The line of the text with the place where the grammar stopped, and a mark below it.
std::string picture(const std::string& text, size_t at) {
  constexpr size_t kBefore = 60, kAfter = 16;
  const size_t line = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;  // npos + 1 is 0
  size_t begin = at - line > kBefore ? at - kBefore : line;
  while (begin < at && (text[begin] & 0xC0) == 0x80) ++begin;
  size_t end = std::min({text.find('\n', at), text.size(), at + kAfter});
  while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
  std::string mark;
  for (size_t i = begin; i < at; ++i) {
    if ((text[i] & 0xC0) != 0x80) mark += text[i] == '\t' ? '\t' : ' ';
  }
  return text.substr(begin, end - begin) + "\n" + mark + "^\n";
}

int run(const GrammarCommand& o) {
  if (o.file.empty()) return fail_usage("grammar: give a file with a grammar (GBNF) or a JSON schema");
  const auto grammar = open_grammar(o);
  if (!grammar) return fail(o.file + ": " + grammar.error().message);
  const auto text = o.has_text ? hearth::Result<std::string>(o.text) : read_text("-");
  if (!text) return fail(text.error());
  const auto match = grammar->match(*text);
  if (!match) return fail(match.error());
  const bool whole = match->taken == text->size();
  const char* verdict = match->can_end ? "accepted" : whole ? "incomplete" : "rejected";
  if (o.json) {
    print_json({{"verdict", verdict}, {"taken", match->taken}, {"expected", match->expected}});
  } else if (match->can_end) {
    print("accepted\n");
  } else {
    const auto n_lines = std::count(text->begin(), text->begin() + static_cast<ptrdiff_t>(match->taken), '\n');
    print(picture(*text, match->taken) + verdict + " at byte " + std::to_string(match->taken) + ", line " +
          std::to_string(n_lines + 1) + "; expected: " + match->expected + "\n");
  }
  if (finish_output() != 0) return kExitError;
  return match->can_end ? 0 : kExitError;
}

}  // namespace

Action setup_grammar(Options& options) {
  auto values = std::make_shared<GrammarCommand>();
  options.add("file", values->file, "File with a grammar (GBNF) or a JSON schema");
  options.add("text", values->text, "The text; without it standard input is read");
  options.add("--spaces", values->spaces, "Of a schema: blanks may stand between the parts of a value");
  options.add("--any-order", values->any_order, "Of a schema: properties may stand in any order");
  options.add("--json", values->json, "Print one JSON object: verdict, taken (bytes), expected");
  options.footer("Says where the text leaves the grammar. The exit code is 0 when the text is accepted as a whole.");
  return [values, options] {
    values->has_text = options.given("text");
    return run(*values);
  };
}

}  // namespace hearth_tool
