// Options on top of CLI11, and the parse of the whole command line.
#include "options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <sstream>

#include "commands.h"
#include "hearth/version.h"
#include "suggest.h"
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
  // An option takes one value each time it is given; what stands by itself may be several.
  impl_.declare(names, values, help)->allow_extra_args(names[0] != '-');
}
bool Options::given(const char* name) const {
  const CLI::Option* option = impl_.app->get_option_no_throw(name);
  return option && option->count() > 0;
}
void Options::footer(const char* text) {
  impl_.app->footer(text);
}

namespace {

/// The known option that an unexpected argument was probably meant to be.
std::string suggest_option(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
    if (name.starts_with("--") && !is_known) return did_you_mean(name, known);
  }
  return {};
}

/// -h and --version are "errors" of CLI11 with exit code 0; everything else is one line.
int report_parse_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  if (error.get_exit_code() == 0) {
    std::ostringstream text;
    app.exit(error, text, text);
    print(text.str());
    return finish_output();
  }
  const CLI::App* at = &app;
  for (const CLI::App* chosen : app.get_subcommands()) at = chosen;
  const std::string command = at == &app ? "" : at->get_name() + ": ";
  const std::string hint = "hearth " + (at == &app ? std::string() : at->get_name() + " ") + "-h";
  const bool is_unexpected = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const std::string meant = is_unexpected ? suggest_option(*at, arguments) : std::string();
  return fail_usage(command + error.what() + meant + " (see " + hint + ")");
}

/// "hearth help [COMMAND]" and "hearth version", as people type them.
void read_words(std::vector<std::string>& arguments) {
  if (arguments.empty()) return;
  const std::string first = arguments.back();
  if (first == "version") arguments = {"--version"};
  if (first != "help") return;
  arguments = arguments.size() > 1 ? std::vector<std::string>{"-h", arguments[arguments.size() - 2]}
                                   : std::vector<std::string>{"-h"};
}

/// What is wrong about the name of the command; empty: nothing.
std::string command_fault(const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  const std::string first = arguments.empty() ? std::string() : arguments.back();
  const std::string wanted = first == "-h" && arguments.size() > 1 ? arguments.front() : first;
  if (!first.empty() && first[0] == '-') return {};
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return {};
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  if (first.empty()) return "which command? There are: " + list + " (see hearth -h)";
  const std::string meant = did_you_mean(wanted, names);
  return "unknown command '" + wanted + "'" + (meant.empty() ? "; there are: " : meant + " There are: ") + list;
}

/// Arguments in the reverse order that CLI11 wants; -ctk and the like, which other programs have, as it can read them.
std::vector<std::string> read_arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) {
    const std::string argument = argv[i];
    bool is_long = false;
    for (const char* name : {"-ctk", "-ctv", "-fa", "-ngl", "-np", "-md"}) is_long = is_long || argument == name;
    // llama-server takes this one with and without a value.
    const std::string next = i + 1 < argc ? argv[i + 1] : "";
    const bool is_attention = argument == "-fa" || argument == "--flash-attn";
    if (is_attention && next != "on" && next != "off" && next != "auto") arguments.push_back("on");
    arguments.push_back(is_long ? "-" + argument : argument);
  }
  return arguments;
}

}  // namespace

std::vector<CommandText> describe_commands() {
  std::vector<CommandText> texts;
  CLI::App app("", "hearth");
  for (const Command& command : commands()) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    Options::Impl impl{sub};
    Options options(impl);
    const Action action = command.setup(options);  // owns what the options point to
    CommandText text{command.name, command.summary, sub->get_footer(), {}};
    for (const CLI::Option* option : sub->get_options()) {
      CommandText::Option one;
      one.help = option->get_description();
      one.takes_value = option->get_items_expected_max() > 0;
      one.is_positional = option->get_positional();
      if (one.is_positional) one.names.push_back(option->get_name(true));
      for (const std::string& name : option->get_snames()) one.names.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) one.names.push_back("--" + name);
      if (one.is_positional && one.names.size() > 1) one.names.resize(1);
      text.options.push_back(std::move(one));
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

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
  std::vector<std::string> arguments = read_arguments(argc, argv);
  read_words(arguments);
  if (const std::string fault = command_fault(arguments); !fault.empty()) return fail_usage(fault);
  try {
    app.parse(std::vector<std::string>(arguments));
    for (const auto& [sub, action] : actions) {
      if (sub->parsed()) exit_code = action();
    }
  } catch (const CLI::ParseError& error) {
    return report_parse_error(app, error, arguments);
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  }
  return exit_code;
}

}  // namespace hearth_tool
