// GBNF, the notation of grammars that llama.cpp reads.
#pragma once

#include <string_view>

#include "hearth/result.h"
#include "hearth/tokenizer.h"
#include "lib/grammar/expr.h"

namespace hearth::grammar {

/// Rule 0 is `root`. kFormat with line and column. `tokenizer` may be null: then tokens cannot be named.
Result<ExprPool> read_gbnf(std::string_view text, const Tokenizer* tokenizer);

}  // namespace hearth::grammar
