// The tree of a Go template.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "go_template.h"

namespace hearth_store {

struct GoPipe;

struct GoOperand {
  enum class Kind { kDot, kField, kVariable, kFunction, kString, kNumber, kBool, kNil, kPipe };
  Kind kind = Kind::kDot;
  std::string text{};                 ///< of a variable (without $), a function, a constant
  std::vector<std::string> fields{};  ///< .A.B behind it, or by themselves
  std::shared_ptr<GoPipe> pipe{};     ///< in brackets
};

struct GoPipe {
  std::vector<std::string> variables{};  ///< assigned to
  bool declares = false;                 ///< by :=
  std::vector<std::vector<GoOperand>> commands{};
};

struct GoTemplate::Node {
  enum class Kind { kText, kAction, kIf, kWith, kRange, kBreak, kContinue, kCall, kList };
  Kind kind = Kind::kList;
  std::string text{};             ///< the text, or the name of the template that is called
  GoPipe pipe{};                  ///< of all but texts and lists
  std::vector<Node> body{};       ///< what the condition guards, or a list
  std::vector<Node> otherwise{};  ///< behind else
  bool has_otherwise = false;
  std::map<std::string, std::vector<Node>> defined{};  ///< of the whole: templates by their names
};

/// Calls `see` for every field and variable's field of a pipe.
template <typename See>
void each_field(const GoPipe& pipe, const See& see) {
  for (const auto& command : pipe.commands)
    for (const GoOperand& operand : command) {
      if (operand.kind == GoOperand::Kind::kVariable) see(operand.text);
      for (const std::string& field : operand.fields) see(field);
      if (operand.pipe) each_field(*operand.pipe, see);
    }
}

}  // namespace hearth_store
