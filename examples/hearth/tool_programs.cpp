// The commands of tools, and what they answered.
#include "tool_programs.h"

#include "child_program.h"

namespace hearth_tool {

hearth::Result<ToolPrograms> ToolPrograms::parse(const std::vector<std::string>& pairs) {
  ToolPrograms programs;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return hearth::Error{hearth::ErrorCode::kInvalidArgument, "--exec " + pair + ": NAME=COMMAND is expected"};
    }
    programs.commands_[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return programs;
}

hearth::Result<std::string> ToolPrograms::run(const std::string& name, const std::string& arguments_json) const {
  auto end = run_program(commands_.at(name), arguments_json);
  if (!end) return end.error();
  while (end->output.ends_with('\n') || end->output.ends_with('\r')) end->output.pop_back();
  if (end->code == 0) return std::move(end->output);
  const std::string code = end->code > 0 ? std::to_string(end->code) : "a signal";
  return hearth::Error{hearth::ErrorCode::kIo, name + ": the command ended with " + code};
}

}  // namespace hearth_tool
