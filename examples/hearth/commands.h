// The commands of the tool. A new one: a file NAME_command.cpp with its setup function, declared here and listed in
// commands.cpp.
#pragma once

#include <functional>
#include <span>

#include "options.h"

namespace hearth_tool {

/// Runs a command after its options were parsed; returns the exit code.
using Action = std::function<int()>;

struct Command {
  const char* name;
  const char* summary;  ///< one line for -h
  /// Declares the options and returns what to do.
  Action (*setup)(Options& options);
};

std::span<const Command> commands();

Action setup_run(Options& options);
Action setup_chat(Options& options);
Action setup_template(Options& options);
Action setup_grammar(Options& options);
Action setup_inspect(Options& options);
Action setup_tokenize(Options& options);
Action setup_logits(Options& options);
Action setup_explain(Options& options);
Action setup_embed(Options& options);
Action setup_serve(Options& options);
Action setup_list(Options& options);
Action setup_show(Options& options);
Action setup_ps(Options& options);
Action setup_pull(Options& options);
Action setup_import(Options& options);
Action setup_create(Options& options);
Action setup_cp(Options& options);
Action setup_rm(Options& options);
Action setup_perplexity(Options& options);
Action setup_imatrix(Options& options);
Action setup_convert(Options& options);
Action setup_compare(Options& options);
Action setup_verify(Options& options);
Action setup_quantize(Options& options);
Action setup_make_model(Options& options);
Action setup_merge(Options& options);
Action setup_bench(Options& options);
Action setup_completions(Options& options);
Action setup_man(Options& options);
Action setup_selftest(Options& options);

}  // namespace hearth_tool
