// hearth completions and hearth man: what shells and man(1) are told, made of the commands' own options.
#include <memory>

#include "commands.h"
#include "hearth/version.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

/// Commands whose first argument is a model.
bool takes_model(const CommandText& command) {
  for (const auto& option : command.options) {
    const std::string& name = option.names.front();
    if (option.is_positional && (name == "model" || name == "name" || name == "names" || name == "from")) return true;
  }
  return false;
}

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : between) + text;
  return out;
}

std::string flags_of(const CommandText& command) {
  std::string out;
  for (const auto& option : command.options)
    if (!option.is_positional) out += (out.empty() ? "" : " ") + joined(option.names, " ");
  return out;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// In single quotes, for a shell.
std::string in_quotes(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash(const std::vector<CommandText>& commands) {
  std::string names, cases, models;
  for (const CommandText& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    cases += "    " + command.name + ") options=" + in_quotes(flags_of(command)) + " ;;\n";
    if (takes_model(command)) models += (models.empty() ? "" : "|") + command.name;
  }
  return "# Completion of hearth for bash; made by `hearth completions bash`.\n"
         "_hearth() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options=\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W " +
         in_quotes(names + " --version -h") +
         " -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "  if [[ $word == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case $command in\n"
         "    " +
         models +
         ")\n"
         "      COMPREPLY=($(compgen -W \"$(hearth list 2>/dev/null | awk 'NR > 1 { print $1 }')\" -- \"$word\"))\n"
         "      command -v __ltrim_colon_completions >/dev/null && __ltrim_colon_completions \"$word\"\n"
         "      ;;\n"
         "  esac\n"
         "  COMPREPLY+=($(compgen -f -- \"$word\"))\n"
         "}\n"
         "complete -o filenames -F _hearth hearth\n";
}

std::string zsh(const std::vector<CommandText>& commands) {
  std::string list, cases, models;
  for (const CommandText& command : commands) {
    list += "    " + in_quotes(command.name + ":" + command.summary) + "\n";
    std::string options;
    for (const auto& option : command.options) {
      if (option.is_positional) continue;
      for (const std::string& name : option.names) {
        std::string entry = name + ":" + first_line(option.help);
        options += " " + in_quotes(entry);
      }
    }
    cases += "    " + command.name + ") options=(" + options + ") ;;\n";
    if (takes_model(command)) models += (models.empty() ? "" : "|") + command.name;
  }
  return "#compdef hearth\n"
         "# Completion of hearth for zsh; made by `hearth completions zsh`.\n"
         "_hearth() {\n"
         "  local -a commands options models\n"
         "  commands=(\n" +
         list +
         "  )\n"
         "  if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
         "  case $words[2] in\n" +
         cases +
         "  esac\n"
         "  if [[ $words[CURRENT] == -* ]]; then _describe option options; return; fi\n"
         "  case $words[2] in\n"
         "    " +
         models +
         ") models=(${(f)\"$(hearth list 2>/dev/null | awk 'NR > 1 { print $1 }')\"}); compadd -a models ;;\n"
         "  esac\n"
         "  _files\n"
         "}\n"
         "_hearth \"$@\"\n";
}

std::string fish(const std::vector<CommandText>& commands) {
  std::string out = "# Completion of hearth for fish; made by `hearth completions fish`.\n";
  std::string models;
  for (const CommandText& command : commands) {
    out += "complete -c hearth -n __fish_use_subcommand -f -a " + command.name + " -d " + in_quotes(command.summary) +
           "\n";
    for (const auto& option : command.options) {
      if (option.is_positional) continue;
      out += "complete -c hearth -n '__fish_seen_subcommand_from " + command.name + "'";
      for (const std::string& name : option.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      out += std::string(option.takes_value ? " -r" : "") + " -d " + in_quotes(first_line(option.help)) + "\n";
    }
    if (takes_model(command)) models += (models.empty() ? "" : " ") + command.name;
  }
  return out + "complete -c hearth -n '__fish_seen_subcommand_from " + models +
         "' -a \"(hearth list 2>/dev/null | awk 'NR > 1 { print \\$1 }')\"\n";
}

/// A text for troff: nothing in it is a request.
std::string roff(const std::string& text) {
  std::string out;
  bool at_begin = true;
  for (const char c : text) {
    if (at_begin && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    at_begin = c == '\n';
  }
  return out;
}

std::string man(const std::vector<CommandText>& commands) {
  std::string out =
      std::string(".TH HEARTH 1 \"\" \"hearth ") + hearth::version() +
      "\" \"User Commands\"\n.SH NAME\nhearth \\- run GGUF language models on CPUs\n"
      ".SH SYNOPSIS\n.B hearth\n.I COMMAND\n.RI [ ARGUMENTS ]\n"
      ".SH DESCRIPTION\nEvery command takes a GGUF file, or the name of a model that\n.B hearth list\nshows.\n"
      ".SH COMMANDS\n";
  for (const CommandText& command : commands) {
    out += ".SS hearth " + roff(command.name);
    for (const auto& option : command.options)
      if (option.is_positional) out += " [" + roff(option.names.front()) + "]";
    out += "\n" + roff(command.summary) + ".\n";
    for (const auto& option : command.options) {
      out += ".TP\n\\fB" + roff(joined(option.names, ", ")) + "\\fR\n" + roff(option.help) + "\n";
    }
    if (!command.footer.empty()) out += ".PP\n" + roff(command.footer) + "\n";
  }
  return out +
         ".SH ENVIRONMENT\n.TP\nHEARTH_MODELS\nFolder of the store (~/.hearth/models).\n"
         ".TP\nHF_TOKEN, HEARTH_REGISTRY_TOKEN\nTokens for pulls.\n"
         ".TP\nHEARTH_ISA\nInstruction set to use, as scalar or avx2.\n"
         ".SH FILES\n.TP\n~/.hearth/models\nModels: manifests, and blobs by their SHA-256.\n"
         ".SH EXIT STATUS\n0; 1 for failures; 2 for a wrong command line; 130 when interrupted.\n";
}

}  // namespace

Action setup_completions(Options& options) {
  auto shell = std::make_shared<std::string>();
  options.add("shell", *shell, "!bash, zsh or fish");
  options.footer("For example: hearth completions bash > ~/.local/share/bash-completion/completions/hearth");
  return [shell] {
    const auto commands = describe_commands();
    if (*shell == "bash") {
      print(bash(commands));
    } else if (*shell == "zsh") {
      print(zsh(commands));
    } else if (*shell == "fish") {
      print(fish(commands));
    } else {
      return fail_usage("completions: '" + *shell + "' is not bash, zsh or fish");
    }
    return finish_output();
  };
}

Action setup_man(Options& options) {
  options.footer("For example: hearth man | man -l -");
  return [] {
    print(man(describe_commands()));
    return finish_output();
  };
}

}  // namespace hearth_tool
