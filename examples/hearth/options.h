// Command-line options of one command: a thin front of CLI11, so that only options.cpp pays for compiling it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hearth_tool {

/// Declares options. `names` are as CLI11 has them: "-n,--max-tokens", or "model" for a positional one. The
/// variables must outlive the parse; what they hold at declaration is shown as the default. An option whose
/// help begins with '!' is required.
class Options {
 public:
  struct Impl;
  explicit Options(Impl& impl) : impl_(impl) {}

  void add(const char* names, std::string& value, const char* help);
  void add(const char* names, int32_t& value, const char* help);
  void add(const char* names, int64_t& value, const char* help);
  void add(const char* names, uint64_t& value, const char* help);
  void add(const char* names, float& value, const char* help);
  void add(const char* names, bool& value, const char* help);  ///< a flag
  /// Comma-separated, and the option may be repeated.
  void add(const char* names, std::vector<int32_t>& values, const char* help);
  /// One value each time that the option is given.
  void add(const char* names, std::vector<std::string>& values, const char* help);
  /// True when the user gave the option with this name.
  bool given(const char* name) const;
  /// Text after the list of options in -h.
  void footer(const char* text);

 private:
  Impl& impl_;
};

/// What -h tells of a command, for other forms of it.
struct CommandText {
  struct Option {
    std::vector<std::string> names{};  ///< "-n", "--max-tokens"; of a positional one its name
    std::string help{};
    bool is_positional = false, takes_value = false;
  };
  std::string name{}, summary{}, footer{};
  std::vector<Option> options{};
};
std::vector<CommandText> describe_commands();

/// Parses `argv` against `commands` and runs the one named. Returns the exit code.
int parse_and_run(int argc, char** argv);

}  // namespace hearth_tool
