// Options on top of CLI11, and the parse of the whole command line.
#include "options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "commands.h"
#include "hearth/version.h"
#include "terminal.h"

namespace hearth_tool {

struct Options::Impl {
  CLI::App* app;

  template <typename T>
  CLI::Option* declare(const char* names, T& value, const char* help) {
    const bool is_required = help[0] == '!';
    CLI::Option* option = app->add_option(names, value, is_required ? help + 1 : help);
    if (is_required) option->required();
    return option;
  }
};

void Options::add(const char* names, std::string& value, const char* help) {
  CLI::Option* option = impl_.declare(names, value, help);
  if (!value.empty()) option->capture_default_str();
}
void Options::add(const char* names, int32_t& value, const char* help) {
  impl_.declare(names, value, help)->capture_default_str();
}
void Options::add(const char* names, int64_t& value, const char* help) {
  impl_.declare(names, value, help)->capture_default_str();
}
void Options::add(const char* names, uint64_t& value, const char* help) {
  impl_.declare(names, value, help)->capture_default_str();
}
void Options::add(const char* names, float& value, const char* help) {
  impl_.declare(names, value, help)->capture_default_str();
}
void Options::add(const char* names, bool& value, const char* help) {
  impl_.app->add_flag(names, value, help);
}
void Options::add(const char* names, std::vector<int32_t>& values, const char* help) {
  impl_.declare(names, values, help)->delimiter(',')->allow_extra_args(false)->capture_default_str();
}
void Options::add(const char* names, std::vector<std::string>& values, const char* help) {
  impl_.declare(names, values, help)->allow_extra_args(false);
}
bool Options::given(const char* name) const {
  const CLI::Option* option = impl_.app->get_option_no_throw(name);
  return option && option->count() > 0;
}
void Options::footer(const char* text) {
  impl_.app->footer(text);
}

namespace {

/// -h and --version are "errors" of CLI11 with exit code 0; everything else is one line.
int report_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);
  const CLI::App* at = &app;
  for (const CLI::App* chosen : app.get_subcommands()) at = chosen;
  const std::string command = at == &app ? "" : at->get_name() + ": ";
  const std::string hint = "hearth " + (at == &app ? std::string() : at->get_name() + " ") + "-h";
  return fail_usage(command + error.what() + " (see " + hint + ")");
}

/// Arguments in the reverse order that CLI11 wants; -ctk and -ctv, which other programs have, as it can read them.
std::vector<std::string> read_arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) {
    const std::string argument = argv[i];
    arguments.push_back(argument == "-ctk" || argument == "-ctv" ? "-" + argument : argument);
  }
  return arguments;
}

}  // namespace

int parse_and_run(int argc, char** argv) {
  CLI::App app("hearth runs GGUF language models on CPUs.", "hearth");
  app.set_version_flag("--version", std::string("hearth ") + hearth::version());
  app.require_subcommand(1);
  std::vector<std::unique_ptr<Options::Impl>> impls;
  std::vector<std::unique_ptr<Options>> options;
  int exit_code = 0;
  std::vector<std::pair<const CLI::App*, Action>> actions;
  for (const Command& command : commands()) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    impls.push_back(std::make_unique<Options::Impl>(Options::Impl{sub}));
    options.push_back(std::make_unique<Options>(*impls.back()));
    actions.emplace_back(sub, command.setup(*options.back()));
  }
  try {
    app.parse(read_arguments(argc, argv));
    for (const auto& [sub, action] : actions) {
      if (sub->parsed()) exit_code = action();
    }
  } catch (const CLI::ParseError& error) {
    return report_parse_error(app, error);
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  }
  return exit_code;
}

}  // namespace hearth_tool
