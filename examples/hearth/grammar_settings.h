// Flags that keep a text to a grammar.
#pragma once

#include <optional>
#include <string>

#include "hearth/grammar.h"
#include "options.h"

namespace hearth_tool {

/// --grammar, --json-schema, --regex, --any-json: at most one of them.
struct GrammarSettings {
  std::string gbnf, schema, regex;
  bool any_json = false;

  void declare(Options& options);
  /// nullopt when none is given. Any error is one of usage.
  hearth::Result<std::optional<hearth::Grammar>> resolve(const hearth::Tokenizer* tokenizer) const;
};

}  // namespace hearth_tool
