// hearth chat: a conversation in the terminal.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>

#include "chat_messages.h"
#include "commands.h"
#include "hearth/chat.h"
#include "line_input.h"
#include "model_options.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::StopReason;

constexpr const char* kHelp =
    "Type a message and press Enter. A line that ends with \\ goes on in the next; \"\"\" begins and ends a message "
    "of\n"
    "several lines. Ctrl-C stops an answer, Ctrl-D ends the program.\n"
    "  /system TEXT        set the system message (empty: remove it)\n"
    "  /clear              forget the conversation, keep the system message\n"
    "  /undo               take back the last message and its answer\n"
    "  /regen              answer the last message once more\n"
    "  /save FILE          write the conversation as JSON\n"
    "  /load FILE          continue a conversation\n"
    "  /stats              what the last answer took\n"
    "  /params [NAME VALUE]  show or change sampling settings\n"
    "  /exit               end the program\n";

struct ChatSettings {
  std::string model, system, file, tools;
  std::vector<std::string> variables, stop;
  bool echo = false, drop_oldest = false;
  int32_t max_tokens = -1;
  SessionSettings session;
  SamplingSettings sampling;
};

class Dialog {
 public:
  /// echo: messages that no terminal shows are printed.
  Dialog(hearth::Chat& chat, int32_t n_ctx, bool echo) : chat_(chat), n_ctx_(n_ctx), echo_(echo && !typed_input()) {}

  int run() {
    const InterruptGuard guard;
    std::string message;
    for (;;) {
      const Input got = read_message("> ", message);
      if (got == Input::kEnd) break;
      if (got == Input::kInterrupted) {
        InterruptGuard::take();
        note("(Ctrl-D or /exit ends the program)");
        continue;
      }
      if (message.find_first_not_of(" \t\n") == std::string::npos) continue;
      if (echo_) note("> " + message);
      if (message[0] == '/') {
        if (!command(message)) break;
      } else {
        messages().push_back({.role = "user", .content = message});
        if (!answer()) messages().pop_back();
      }
      if (finish_output() != 0) return kExitError;
    }
    return finish_output();
  }

  void set_system(const std::string& text) {
    auto& messages = chat_.messages();
    if (!messages.empty() && messages.front().role == "system") messages.erase(messages.begin());
    if (!text.empty()) messages.insert(messages.begin(), {.role = "system", .content = text});
  }

 private:
  std::vector<hearth::ChatMessage>& messages() { return chat_.messages(); }
  static void note(const std::string& text) { print(text + "\n"); }

  bool has_question() { return !messages().empty() && messages().back().role == "user"; }

  /// False when nothing was answered; the reason is printed.
  bool answer() {
    InterruptGuard::take();
    const auto answered = chat_.answer([](std::string_view piece) { return print(piece); });
    InterruptGuard::take();
    print("\n");
    if (!answered) {
      if (answered.error().code == hearth::ErrorCode::kCancelled) {
        note("(stopped before the answer began; the message is not part of the conversation)");
      } else if (answered.error().code == hearth::ErrorCode::kContextFull) {
        note("(" + answered.error().message +
             ": this message was not sent. /undo or /clear makes room; -c gives a larger context at the start.)");
      } else {
        fail(answered.error());
      }
      return false;
    }
    last_ = *answered;
    if (last_.dropped_messages > 0) {
      note("(the oldest " + std::to_string(last_.dropped_messages) + " messages were forgotten to make room)");
    }
    if (last_.stop_reason == StopReason::kCancelled || last_.stop_reason == StopReason::kCallback) note("(stopped)");
    if (last_.stop_reason == StopReason::kContextFull) {
      note("(the context of " + std::to_string(n_ctx_) +
           " tokens is full: the answer is cut off here. /undo or /clear makes room; -c gives a larger context at the "
           "start.)");
    }
    return true;
  }

  /// False ends the program.
  bool command(const std::string& line) {
    const size_t space = line.find_first_of(" \t\n");
    const std::string name = line.substr(0, space);
    const size_t begin = space == std::string::npos ? std::string::npos : line.find_first_not_of(" \t\n", space);
    const std::string rest = begin == std::string::npos ? "" : line.substr(begin);
    if (name == "/exit" || name == "/quit") return false;
    static const std::map<std::string, void (Dialog::*)(const std::string&)> kCommands = {
        {"/help", &Dialog::help}, {"/system", &Dialog::system},    {"/clear", &Dialog::clear},
        {"/save", &Dialog::save}, {"/load", &Dialog::load},        {"/regen", &Dialog::regen},
        {"/undo", &Dialog::undo}, {"/stats", &Dialog::show_stats}, {"/params", &Dialog::params}};
    const auto found = kCommands.find(name);
    if (found == kCommands.end()) {
      note("unknown command " + name + "; /help lists them");
    } else {
      (this->*found->second)(rest);
    }
    return true;
  }

  void help(const std::string&) { print(kHelp); }

  void system(const std::string& text) {
    set_system(text);
    note(text.empty() ? "(no system message)" : "(the system message is set)");
  }

  void clear(const std::string&) {
    auto& messages = chat_.messages();
    const bool keep = !messages.empty() && messages.front().role == "system";
    messages.erase(messages.begin() + (keep ? 1 : 0), messages.end());
    note("(the conversation is empty)");
  }

  void save(const std::string& path) {
    if (path.empty()) return note("/save FILE");
    std::ofstream out(path, std::ios::binary);
    out << messages_to_json(messages()).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    out.close();
    note(out ? "(saved)" : "cannot write " + path);
  }

  void load(const std::string& path) {
    if (path.empty()) return note("/load FILE");
    const auto text = read_text(path);
    if (!text) return note(text.error().message);
    auto messages = messages_from_json(Json::parse(*text, nullptr, false));
    if (!messages) return note(path + ": " + messages.error().message);
    chat_.messages() = *std::move(messages);
    note("(" + std::to_string(chat_.messages().size()) + " messages)");
    if (has_question()) answer();
  }

  void regen(const std::string&) {
    auto& messages = chat_.messages();
    if (messages.empty() || messages.back().role != "assistant") {
      if (!has_question()) return note("(there is nothing to answer)");
      answer();
      return;
    }
    const hearth::ChatMessage last = messages.back();
    messages.pop_back();
    if (!answer()) messages.push_back(last);
  }

  void undo(const std::string&) {
    auto& messages = chat_.messages();
    const auto is_turn = [&] { return !messages.empty() && messages.back().role != "system"; };
    if (!is_turn()) return note("(there is nothing to take back)");
    while (is_turn()) {
      const bool question = has_question();
      messages.pop_back();
      if (question) break;
    }
    note("(taken back)");
  }

  void show_stats(const std::string&) {
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
  }

  void params(const std::string& text) {
    hearth::SamplerOptions& s = chat_.settings().generate.sampler;
    int32_t& max_tokens = chat_.settings().generate.max_tokens;
    const std::map<std::string, float*> reals = {{"temperature", &s.temperature},
                                                 {"top_p", &s.top_p},
                                                 {"min_p", &s.min_p},
                                                 {"typical_p", &s.typical_p},
                                                 {"repeat_penalty", &s.repeat_penalty},
                                                 {"frequency_penalty", &s.frequency_penalty},
                                                 {"presence_penalty", &s.presence_penalty}};
    const std::map<std::string, int32_t*> integers = {{"top_k", &s.top_k}, {"max_tokens", &max_tokens}};
    if (text.empty()) {
      for (const auto& [name, value] : reals) std::printf("%s %g\n", name.c_str(), static_cast<double>(*value));
      for (const auto& [name, value] : integers) std::printf("%s %d\n", name.c_str(), *value);
      return note("seed " + std::to_string(s.seed));
    }
    const size_t space = text.find_first_of(" =");
    const std::string name = text.substr(0, space), value = space == std::string::npos ? "" : text.substr(space + 1);
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0') return note("/params NAME VALUE, where VALUE is a number");
    const hearth::SamplerOptions before = s;
    const int32_t max_before = max_tokens;
    if (const auto real = reals.find(name); real != reals.end()) {
      *real->second = static_cast<float>(number);
    } else if (const auto integer = integers.find(name); integer != integers.end() && number >= -1 && number <= 1e9) {
      *integer->second = static_cast<int32_t>(number);
    } else if (name == "seed" && number >= 0 && number <= 9e15) {
      s.seed = static_cast<uint64_t>(number);
    } else {
      return note("no setting " + name + " with such a value");
    }
    if (const auto checked = hearth::Sampler::create(1, s); !checked) {
      s = before;
      max_tokens = max_before;
      return note(checked.error().message);
    }
    note("(" + name + " " + value + ")");
  }

  hearth::Chat& chat_;
  const int32_t n_ctx_;
  const bool echo_;
  hearth::ChatAnswer last_;
};

int run(const ChatSettings& o) {
  catch_interrupts();
  const auto sampler = o.sampling.resolve();
  if (!sampler) return fail(sampler.error());
  const auto session_options = o.session.resolve();
  if (!session_options) return fail(session_options.error());
  auto variables = template_variables(o.variables);
  if (!variables) return fail(variables.error());

  const auto model = load_model(o.model);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  if (!model->info().causal)
    return fail("architecture " + model->info().architecture + " is an encoder and does not talk");
  auto session = hearth::Session::create(*model, *session_options);
  if (!session) return fail(session.error());
  auto tmpl = open_template(model->file(), model->tokenizer(), o.file);
  if (!tmpl) return fail(tmpl.error());
  show_warning(tmpl->warning());

  const int32_t n_ctx = session->options().n_ctx;
  hearth::ChatSettings settings;
  settings.generate.sampler = *sampler;
  settings.generate.max_tokens = o.max_tokens;
  settings.generate.stop_texts = o.stop;
  settings.generate.cancel = InterruptGuard::flag();
  settings.prompt.variables = *std::move(variables);
  if (o.drop_oldest) settings.when_full = hearth::ContextFullPolicy::kDropOldest;
  if (!o.tools.empty()) {
    const auto tools = read_text(o.tools);
    if (!tools) return fail(tools.error());
    settings.prompt.tools_json = *tools;
  }
  auto chat = hearth::Chat::create(*session, *std::move(tmpl), std::move(settings));
  if (!chat) return fail(chat.error());
  Dialog dialog(*chat, n_ctx, o.echo);
  dialog.set_system(o.system);
  std::fprintf(stderr, "%s, context of %d tokens. /help lists the commands.\n", o.model.c_str(), n_ctx);
  return dialog.run();
}

}  // namespace

Action setup_chat(Options& options) {
  auto values = std::make_shared<ChatSettings>();
  options.add("model", values->model, "!GGUF file");
  options.add("-s,--system", values->system, "System message");
  options.add("--template", values->file, "Use the chat template in this file instead of the model's");
  options.add("--var", values->variables, "Variable of the template, NAME=VALUE (JSON, or text); may be repeated");
  options.add("--tools", values->tools, "JSON file: a list of tool definitions that the template shows to the model");
  options.add("-n,--max-tokens", values->max_tokens, "Tokens of an answer at most (-1: until its end)");
  options.add("--stop", values->stop, "Text that ends an answer; may be repeated");
  options.add("--drop-oldest", values->drop_oldest, "Forget the oldest messages when the context is full");
  options.add("--echo", values->echo, "Print the messages too when they come from a file or a pipe");
  values->session.declare(options);
  values->sampling.declare(options);
  options.footer(kHelp);
  return [values] { return run(*values); };
}

}  // namespace hearth_tool
