// Programs that answer the calls of a model's tools: those that a person has allowed, by the tool's name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hearth/result.h"

namespace hearth_tool {

class ToolPrograms {
 public:
  /// From NAME=COMMAND each.
  static hearth::Result<ToolPrograms> parse(const std::vector<std::string>& pairs);

  bool has(const std::string& name) const { return commands_.contains(name); }
  /// Runs the command of a tool by the shell with the arguments on its standard input, and waits for it. What it
  /// printed on standard output, at most 64 KiB; an error when it fails. The arguments are never part of the command
  /// line.
  hearth::Result<std::string> run(const std::string& name, const std::string& arguments_json) const;

 private:
  std::map<std::string, std::string> commands_;
};

}  // namespace hearth_tool
