// Arguments of calls that a format writes as keys and values, one by one.
#pragma once

#include <functional>
#include <string_view>

#include "lib/chat/answer_format.h"
#include "lib/grammar/schema.h"

namespace hearth::chat {

struct PairList {
  grammar::ExprId pairs = grammar::kUndefined;  ///< one or more; kUndefined: there are none
  bool may_be_empty = false;
};

/// `parameters` is the root of a schema of an object with `properties`; `literal` writes texts of the format. What
/// cannot be enforced is kUnsupported.
Result<PairList> write_pairs(const AnswerFormat& format, const grammar::Json& parameters,
                             grammar::SchemaCompiler& schemas, grammar::ExprPool& pool,
                             const std::function<grammar::ExprId(std::string_view)>& literal);

/// Texts in which a marker (UTF-8, not empty) does not occur.
grammar::Dfa texts_without(std::string_view marker);

std::string_view without_blanks(std::string_view text);

}  // namespace hearth::chat
