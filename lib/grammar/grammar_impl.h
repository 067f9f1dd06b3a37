// What a Grammar shares among its copies.
#pragma once

#include <memory>

#include "hearth/grammar.h"
#include "lib/grammar/program.h"

namespace hearth {

struct Grammar::Impl {
  grammar::Program program;
};

struct GrammarInternals {
  static const grammar::Program& program(const Grammar& grammar) { return grammar.impl_->program; }
  static Result<Grammar> make(const grammar::ExprPool& pool, const grammar::ProgramOptions& options = {});
};

}  // namespace hearth
