// Reading grammars from files and arguments.
#include "grammar_settings.h"

#include "model_options.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Grammar;
using hearth::Result;

void GrammarSettings::declare(Options& options) {
  options.add("--grammar", gbnf, "File with a grammar (GBNF) that the text keeps to");
  options.add("--json-schema", schema, "JSON schema that the text satisfies: a file, or the schema itself");
  options.add("--regex", regex, "Regular expression that the whole text matches");
  options.add("--any-json", any_json, "The text is a JSON value");
}

Result<std::optional<Grammar>> GrammarSettings::resolve(const hearth::Tokenizer* tokenizer) const {
  const int n_given = !gbnf.empty() + !schema.empty() + !regex.empty() + any_json;
  if (n_given == 0) return std::optional<Grammar>();
  if (n_given > 1) {
    return Error{ErrorCode::kInvalidArgument, "give one of --grammar, --json-schema, --regex and --any-json"};
  }
  Result<Grammar> made = Error{};
  if (any_json) {
    made = Grammar::json();
  } else if (!regex.empty()) {
    made = Grammar::from_regex(regex);
  } else {
    const bool is_file = !gbnf.empty() || schema.find_first_of("{ \t\n") != 0;
    const std::string& source = gbnf.empty() ? schema : gbnf;
    const Result<std::string> text = is_file ? read_text(source) : Result<std::string>(source);
    if (!text) return text.error();
    made = gbnf.empty() ? Grammar::from_json_schema(*text) : Grammar::from_gbnf(*text, tokenizer);
    if (!made && is_file) return Error{made.error().code, source + ": " + made.error().message};
  }
  if (!made) return made.error();
  return std::optional<Grammar>(*std::move(made));
}

}  // namespace hearth_tool
