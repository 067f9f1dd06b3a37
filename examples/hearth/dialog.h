// A conversation at the terminal: messages, answers, and commands that begin with a slash.
#pragma once

#include <string>

#include "hearth/chat.h"
#include "line_input.h"
#include "tool_programs.h"

namespace hearth_tool {

struct DialogSettings {
  std::string title;        ///< what the model is, in a line
  bool echo = false;        ///< print messages that no terminal shows
  bool one_shot = false;    ///< answer one message and end: notes go to standard error
  ToolPrograms programs{};  ///< that answer calls of tools
};

class Dialog {
 public:
  Dialog(hearth::Session& session, hearth::Chat& chat, DialogSettings settings);

  /// Reads messages and commands until the end. Exit code.
  int run();
  /// Answers one message. Exit code.
  int answer_once(const std::string& message);
  void set_system(const std::string& text);

  static const char* help_text();

 private:
  struct Command;
  static const Command* find_command(const std::string& name);

  std::vector<hearth::ChatMessage>& messages() { return chat_.messages(); }
  void note(const std::string& text) const;
  bool has_question();
  bool prompt_begins_thought();
  bool answer();
  bool answer_and_call();
  bool ask_result(const hearth::ToolCall& call, std::string& result);
  void report(const hearth::ChatAnswer& answer);
  void report_failure(const hearth::Error& error);
  bool command(const std::string& line);

  void help(const std::string&);
  void system(const std::string& text);
  void clear(const std::string&);
  void save(const std::string& path);
  void load(const std::string& path);
  void regen(const std::string&);
  void undo(const std::string&);
  void tool(const std::string& result);
  void show_stats(const std::string&);
  void params(const std::string& text);
  void set(const std::string& text);
  void show(const std::string& what);
  void think(const std::string&);

  hearth::Session& session_;
  hearth::Chat& chat_;
  const DialogSettings settings_;
  const int32_t n_ctx_;
  hearth::ChatAnswer last_;
  bool warned_full_ = false, shows_thoughts_ = true;
  MessageReader* reader_ = nullptr;  ///< while run() reads
};

}  // namespace hearth_tool
