// Reading, answering, and what is said about it.
#include "dialog.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>

#include "../store/system.h"
#include "answer_view.h"
#include "chat_messages.h"
#include "chat_params.h"
#include "draft_settings.h"
#include "model_options.h"
#include "suggest.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {

using hearth::StopReason;

/// "" ends the program.
struct Dialog::Command {
  const char* name;
  void (Dialog::*run)(const std::string&);
};

namespace {

std::string first_word(const std::string& text, std::string& rest) {
  const size_t space = text.find_first_of(" \t\n=");
  const size_t begin = space == std::string::npos ? space : text.find_first_not_of(" \t\n=", space);
  rest = begin == std::string::npos ? "" : text.substr(begin);
  return text.substr(0, space);
}

}  // namespace

const char* Dialog::help_text() {
  return "Type a message and press Enter. A line that ends with \\ goes on in the next;\n"
         "\"\"\" begins and ends a message of several lines; a pasted text is one message.\n"
         "Ctrl-C stops an answer, Ctrl-R searches what was typed before, Ctrl-D ends.\n"
         "  /system TEXT          set the system message (empty: remove it)\n"
         "  /clear                forget the conversation, keep the system message\n"
         "  /undo                 take back the last message and its answer\n"
         "  /regen                answer the last message once more\n"
         "  /tool RESULT          give the result of a tool that the model called\n"
         "  /think                show the model's thinking, or hide it\n"
         "  /save FILE            write the conversation as JSON\n"
         "  /load FILE            continue a conversation\n"
         "  /stats                what the last answer took\n"
         "  /params [NAME VALUE]  show or change sampling settings (also /set)\n"
         "  /show [system]        what runs here; the system message\n"
         "  /exit                 end the program (also /bye, /quit)\n";
}

const Dialog::Command* Dialog::find_command(const std::string& name) {
  static constexpr Command kCommands[] = {{"/help", &Dialog::help},
                                          {"/?", &Dialog::help},
                                          {"/system", &Dialog::system},
                                          {"/clear", &Dialog::clear},
                                          {"/save", &Dialog::save},
                                          {"/load", &Dialog::load},
                                          {"/regen", &Dialog::regen},
                                          {"/undo", &Dialog::undo},
                                          {"/tool", &Dialog::tool},
                                          {"/stats", &Dialog::show_stats},
                                          {"/params", &Dialog::params},
                                          {"/set", &Dialog::set},
                                          {"/show", &Dialog::show},
                                          {"/think", &Dialog::think},
                                          {"/exit", nullptr},
                                          {"/quit", nullptr},
                                          {"/bye", nullptr}};
  const auto found =
      std::find_if(std::begin(kCommands), std::end(kCommands), [&](const Command& c) { return name == c.name; });
  if (found != std::end(kCommands)) return found;
  return nullptr;
}

Dialog::Dialog(hearth::Session& session, hearth::Chat& chat, DialogSettings settings)
    : session_(session), chat_(chat), settings_(std::move(settings)), n_ctx_(session.options().n_ctx) {}

int Dialog::run() {
  const InterruptGuard guard;
  MessageReader reader(history_path());
  reader_ = &reader;
  std::string message;
  for (;;) {
    const Input got = reader.read("> ", message);
    if (got == Input::kEnd) break;
    if (got == Input::kInterrupted) {
      InterruptGuard::take();
      note("(Ctrl-D or /exit ends the program)");
      continue;
    }
    if (message.find_first_not_of(" \t\n") == std::string::npos) continue;
    if (settings_.echo && !typed_input()) print("> " + message + "\n");
    if (message[0] == '/') {
      if (!command(message)) break;
    } else {
      messages().push_back({.role = "user", .content = message});
      if (!answer_and_call()) messages().pop_back();
    }
    if (finish_output() != 0) return kExitError;
  }
  return interrupted() ? interrupted_exit_code() : finish_output();
}

int Dialog::answer_once(const std::string& message) {
  messages().push_back({.role = "user", .content = message});
  const bool answered = answer_and_call();
  if (interrupted()) return interrupted_exit_code();
  return finish_output(answered ? 0 : kExitError);
}

void Dialog::set_system(const std::string& text) {
  if (!messages().empty() && messages().front().role == "system") messages().erase(messages().begin());
  if (!text.empty()) messages().insert(messages().begin(), {.role = "system", .content = text});
}

void Dialog::note(const std::string& text) const {
  if (settings_.one_shot) {
    show_warning(text);
  } else {
    print(styled(Style::kNote, printable(text, true)) + "\n");
  }
}

bool Dialog::has_question() {
  return !messages().empty() && (messages().back().role == "user" || messages().back().role == "tool");
}

/// Some templates write the mark that begins a thought themselves.
bool Dialog::prompt_begins_thought() {
  const auto prompt = chat_.chat_template().render(messages(), chat_.settings().prompt);
  if (!prompt) return false;
  std::string text = prompt->text();
  text.resize(text.find_last_not_of(" \n") + 1);
  return text.ends_with("<think>");
}

/// False when nothing was answered; the reason is printed.
bool Dialog::answer() {
  InterruptGuard::take();
  AnswerView view(prompt_begins_thought(), shows_thoughts_);
  Progress progress("computing the prompt");
  chat_.settings().generate.on_prompt = [&](int32_t done, int32_t total) {
    progress.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    return true;
  };
  const auto answered = chat_.answer([&](std::string_view piece) {
    progress.clear();
    return view.push(piece);
  });
  progress.clear();
  chat_.settings().generate.on_prompt = {};
  InterruptGuard::take();
  if (!answered) {
    report_failure(answered.error());
    return false;
  }
  view.finish();
  report(*answered);
  last_ = *answered;
  return true;
}

constexpr int kMaxRounds = 16;  // of calls, before a person must say something

/// Answers, and as long as tools are called for which there are results, goes on with them. False when nothing at all
/// was answered.
bool Dialog::answer_and_call() {
  if (!answer()) return false;
  for (int round = 0; round < kMaxRounds && !last_.message.tool_calls.empty() && !interrupted(); ++round) {
    const size_t n_before = messages().size();
    for (const hearth::ToolCall& call : last_.message.tool_calls) {
      std::string result;
      if (!ask_result(call, result)) {
        messages().resize(n_before);
        return true;
      }
      messages().push_back({.role = "tool", .content = result, .tool_call_id = call.id, .name = call.name});
    }
    if (answer()) continue;
    messages().resize(n_before);
    return true;
  }
  return true;
}

/// From the program that is allowed for the tool, otherwise from the person; false: there is none.
bool Dialog::ask_result(const hearth::ToolCall& call, std::string& result) {
  if (settings_.programs.has(call.name)) {
    note("(" + call.name + " " + call.arguments_json + ")");
    const auto made = settings_.programs.run(call.name, call.arguments_json);
    result = made ? *made : "error: " + made.error().message;
    if (!made) note(made.error().message);
    return true;
  }
  if (!reader_ || !typed_input()) return false;
  note("(the model calls " + call.name + " " + call.arguments_json + "; an empty line gives no result)");
  return reader_->read("result> ", result) == Input::kLine && result.find_first_not_of(" \t\n") != std::string::npos;
}

void Dialog::think(const std::string&) {
  shows_thoughts_ = !shows_thoughts_;
  note(shows_thoughts_ ? "(thinking is shown)" : "(thinking is hidden)");
}

void Dialog::report_failure(const hearth::Error& error) {
  if (error.code == hearth::ErrorCode::kCancelled) {
    note("(stopped before the answer began; the message is not part of the conversation)");
  } else if (error.code == hearth::ErrorCode::kContextFull) {
    note("(" + error.message +
         ": this message was not sent. /undo or /clear makes room; -c gives a larger context at the start.)");
  } else {
    fail(error);
  }
}

void Dialog::report(const hearth::ChatAnswer& answer) {
  if (answer.dropped_messages > 0) {
    note("(the oldest " + std::to_string(answer.dropped_messages) + " messages were forgotten to make room)");
  }
  if (answer.stop_reason == StopReason::kCancelled || answer.stop_reason == StopReason::kCallback) note("(stopped)");
  if (answer.stop_reason == StopReason::kContextFull) {
    note("(the context of " + std::to_string(n_ctx_) +
         " tokens is full: the answer is cut off here. /undo or /clear makes room; -c gives a larger context at the "
         "start.)");
    return;
  }
  const bool is_nearly_full = chat_.used_tokens() > n_ctx_ / 5 * 4;
  if (is_nearly_full && !warned_full_ && chat_.settings().when_full == hearth::ContextFullPolicy::kStop) {
    note("(" + std::to_string(chat_.used_tokens()) + " of the context's " + std::to_string(n_ctx_) +
         " tokens are used)");
  }
  warned_full_ = is_nearly_full;
}

/// False ends the program.
bool Dialog::command(const std::string& line) {
  const size_t space = line.find_first_of(" \t\n");
  const std::string name = line.substr(0, space);
  const size_t begin = space == std::string::npos ? space : line.find_first_not_of(" \t\n", space);
  const std::string rest = begin == std::string::npos ? "" : line.substr(begin);
  const Command* found = find_command(name);
  if (!found) {
    static const std::vector<std::string> kNames = {"/help", "/system", "/clear", "/undo",   "/regen", "/tool",
                                                    "/save", "/load",   "/stats", "/params", "/show",  "/think",
                                                    "/set",  "/exit",   "/bye",   "/quit"};
    note("unknown command " + name + did_you_mean(name, kNames) + " (/help lists them)");
    return true;
  }
  if (!found->run) return false;
  (this->*found->run)(rest);
  return true;
}

void Dialog::help(const std::string&) {
  print(help_text());
}

void Dialog::system(const std::string& text) {
  set_system(text);
  note(text.empty() ? "(no system message)" : "(the system message is set)");
}

void Dialog::clear(const std::string&) {
  const bool keep = !messages().empty() && messages().front().role == "system";
  messages().erase(messages().begin() + (keep ? 1 : 0), messages().end());
  note("(the conversation is empty)");
}

void Dialog::save(const std::string& path) {
  if (path.empty()) return note("/save FILE");
  std::ofstream out(hearth_store::path_of(path), std::ios::binary);
  out << messages_to_json(messages()).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  out.close();
  note(out ? "(saved)" : "cannot write " + path);
}

void Dialog::load(const std::string& path) {
  if (path.empty()) return note("/load FILE");
  const auto text = read_text(path);
  if (!text) return note(text.error().message);
  auto loaded = messages_from_json(Json::parse(*text, nullptr, false));
  if (!loaded) return note(path + ": " + loaded.error().message);
  messages() = *std::move(loaded);
  note("(" + std::to_string(messages().size()) + " messages)");
  if (has_question()) answer();
}

void Dialog::regen(const std::string&) {
  if (messages().empty() || messages().back().role != "assistant") {
    if (!has_question()) return note("(there is nothing to answer)");
    answer();
    return;
  }
  const hearth::ChatMessage last = messages().back();
  messages().pop_back();
  if (!answer()) messages().push_back(last);
}

void Dialog::undo(const std::string&) {
  const auto is_turn = [&] { return !messages().empty() && messages().back().role != "system"; };
  if (!is_turn()) return note("(there is nothing to take back)");
  while (is_turn()) {
    const bool question = messages().back().role == "user";
    messages().pop_back();
    if (question) break;
  }
  note("(taken back)");
}

void Dialog::tool(const std::string& result) {
  if (messages().empty() || messages().back().role != "assistant") return note("(the model has not called a tool)");
  messages().push_back({.role = "tool", .content = result});
  if (!answer_and_call()) messages().pop_back();
}

void Dialog::show_stats(const std::string&) {
  const hearth::Timings& t = last_.timings;
  const auto rate = [](int32_t n, double seconds) { return seconds > 0 ? n / seconds : 0.0; };
  const int32_t computed = t.prompt_tokens - last_.cached_tokens;
  char line[400];
  std::snprintf(line, sizeof line,
                "prompt: %d tokens, %d from the cache, %d computed in %.3f s (%.1f tokens/s)\n"
                "answer: %d tokens in %.3f s (%.1f tokens/s), stop: %s\n"
                "context: %d of %d tokens, %zu messages\n",
                t.prompt_tokens, last_.cached_tokens, computed, t.prompt_seconds, rate(computed, t.prompt_seconds),
                t.generated_tokens, t.generate_seconds, rate(t.generated_tokens, t.generate_seconds),
                hearth::stop_reason_name(last_.stop_reason), chat_.used_tokens(), n_ctx_, messages().size());
  print(line);
  const hearth::Speculator* speculator = chat_.settings().generate.speculator;
  if (speculator != nullptr) print(describe_drafts(*speculator) + "\n");
}

void Dialog::params(const std::string& text) {
  if (text.empty()) {
    print(list_params(chat_.settings().generate));
    return;
  }
  std::string value;
  const std::string name = first_word(text, value);
  const auto changed = change_param(chat_.settings().generate, name, value);
  note(changed ? "(" + name + " " + value + ")" : changed.error().message);
}

/// /set parameter NAME VALUE, /set NAME VALUE, /set system TEXT
void Dialog::set(const std::string& text) {
  std::string rest;
  const std::string what = first_word(text, rest);
  if (what == "system") return system(rest);
  params(what == "parameter" || what == "param" ? rest : text);
}

void Dialog::show(const std::string& what) {
  if (what == "system") {
    const bool has = !messages().empty() && messages().front().role == "system";
    return note(has ? messages().front().content : "(no system message)");
  }
  if (what.starts_with("param")) return params("");
  print(printable(settings_.title) + "\n");
  print("context of " + std::to_string(n_ctx_) + " tokens, " + std::to_string(chat_.used_tokens()) + " used; " +
        std::to_string(session_.options().n_threads) + " threads\n");
}

}  // namespace hearth_tool
