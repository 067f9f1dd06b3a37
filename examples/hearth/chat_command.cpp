// hearth chat: a conversation in the terminal, or one answer to a question.
#include <cstdio>
#include <memory>

#include "../store/model_template.h"
#include "chat_messages.h"
#include "commands.h"
#include "console.h"
#include "dialog.h"
#include "draft_settings.h"
#include "grammar_settings.h"
#include "model_options.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

struct ChatCommand {
  ModelSettings model;
  std::string message, file, system, template_file, tools, on_full = "drop";
  std::vector<std::string> variables, stop, programs;
  bool echo = false, commands = false, has_system = false, has_max_tokens = false;
  int32_t max_tokens = -1;
  SessionSettings session;
  CacheSettings cache;
  SamplingSettings sampling;
  GrammarSettings grammar;
  DraftSettings drafts;
};

/// The message on the command line, with the text that is piped in below it; empty: messages are read one by one.
hearth::Result<std::string> single_message(const ChatCommand& o) {
  std::string message = o.message;
  const bool piped = !o.commands && !typed_input() && (message.empty() || piped_input());
  for (const std::string& source : {o.file, std::string(piped && o.file != "-" ? "-" : "")}) {
    if (source.empty()) continue;
    auto text = read_text(source);
    if (!text) return text.error();
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    if (!text->empty()) message += (message.empty() ? "" : "\n\n") + *text;
  }
  if (message.empty() && (piped || !o.file.empty())) {
    return hearth::Error{hearth::ErrorCode::kNotFound, "chat: there is no message: the input is empty"};
  }
  if (auto status = check_utf8(message, "the message"); !status) return status.error();
  return message;
}

hearth::Result<hearth::ChatSettings> chat_settings(const ChatCommand& o, const hearth::GgufFile& file,
                                                   const NamedModel& named) {
  const NamedDefaults defaults = NamedDefaults::of(named);
  hearth::ChatSettings settings;
  settings.generate.sampler = o.sampling.resolve(file, named);
  settings.generate.max_tokens = o.has_max_tokens ? o.max_tokens : defaults.max_tokens.value_or(o.max_tokens);
  settings.generate.stop_texts = o.stop.empty() ? defaults.stop_texts : o.stop;
  settings.generate.cancel = interrupt_flag();
  if (o.on_full == "drop") settings.when_full = hearth::ContextFullPolicy::kDropOldest;
  if (o.on_full == "shift") settings.generate.on_full = hearth::OnFull::kShift;
  if (o.on_full == "window") settings.generate.on_full = hearth::OnFull::kWindow;
  settings.generate.keep = o.cache.keep;
  auto variables = template_variables(o.variables);
  if (!variables) return variables.error();
  settings.prompt.variables = *std::move(variables);
  if (!o.tools.empty()) {
    const auto tools = read_text(o.tools);
    if (!tools) return tools.error();
    settings.prompt.tools_json = *tools;
  }
  return settings;
}

/// The template in a file, the one that the store chooses, or the model's own.
hearth::Result<hearth::ChatTemplate> chosen_template(const ChatCommand& o, const hearth::Model& model,
                                                     const NamedModel& named) {
  if (!o.template_file.empty() || !named.entry) return open_template(model.file(), model.tokenizer(), o.template_file);
  const auto choice = hearth_store::choose_template(*named.entry, hearth_store::read_facts(named.path));
  return hearth_store::compile_template(choice, model.file(), model.tokenizer());
}

/// What conversations with this name begin with.
void begin_conversation(const ChatCommand& o, const NamedModel& named, hearth::Chat& chat, Dialog& dialog) {
  const bool has_system = named.entry && !o.has_system;
  dialog.set_system(has_system ? named.entry->system : o.system);
  if (!named.entry) return;
  for (const auto& one : named.entry->messages) {
    if (one.is_object()) {
      chat.messages().push_back({.role = one.value("role", "user"), .content = one.value("content", "")});
    }
  }
}

int talk(const ChatCommand& o, const hearth::Model& model, const NamedModel& named, hearth::SessionOptions options,
         const std::string& message) {
  if (!model.info().causal)
    return fail("architecture " + model.info().architecture + " is an encoder and does not talk");
  auto settings = chat_settings(o, model.file(), named);
  if (!settings) return fail_usage(settings.error().message);
  if (auto status = load_adapters(named, model, options); !status) return fail(status.error());
  if (auto status = o.session.adapters.load(model, options); !status) return fail(status.error());
  if (options.n_ctx == 0) options.n_ctx = NamedDefaults::of(named).n_ctx.value_or(0);
  auto grammar = o.grammar.resolve(&model.tokenizer());
  if (!grammar) return fail_usage("chat: " + grammar.error().message);
  settings->generate.grammar = *std::move(grammar);
  choose_context(model, options);
  auto session = hearth::Session::create(model, options);
  if (!session) return fail_session(session.error());
  if (const auto restored = o.cache.restore(*session); !restored) return fail(restored.error());
  show_warning(session->warning());
  const auto speculator = o.drafts.create(*session);
  if (!speculator) return fail(speculator.error());
  settings->generate.speculator = speculator->get();
  auto tmpl = chosen_template(o, model, named);
  if (!tmpl) return fail(tmpl.error());
  show_warning(tmpl->warning());
  const uint64_t seed = settings->generate.sampler.seed;
  auto chat = hearth::Chat::create(*session, *std::move(tmpl), *std::move(settings));
  if (!chat) return fail(chat.error());
  const auto programs = ToolPrograms::parse(o.programs);
  if (!programs) return fail_usage(programs.error().message);
  const std::string title = describe(model, named.shown());
  Dialog dialog(*session, *chat, {.title = title, .echo = o.echo, .one_shot = !message.empty(), .programs = *programs});
  begin_conversation(o, named, *chat, dialog);
  const auto saved = [&](int code) {
    const auto status = o.cache.save(*session);
    return status ? code : fail(status.error());
  };
  if (!message.empty()) return saved(dialog.answer_once(message));
  std::fprintf(stderr, "%s, context of %d tokens, seed %llu.\n/help lists the commands.\n", title.c_str(),
               session->options().n_ctx, static_cast<unsigned long long>(seed));
  return saved(dialog.run());
}

int run(const ChatCommand& o) {
  console::use_utf8_locale();
  catch_interrupts();
  if (o.on_full != "drop" && o.on_full != "stop" && o.on_full != "shift" && o.on_full != "window") {
    return fail_usage("chat: --on-full is drop, stop, shift or window");
  }
  if (const auto checked = o.sampling.check(); !checked) return fail_usage(checked.error().message);
  auto session_options = o.session.resolve();
  if (!session_options) return fail_usage(session_options.error().message);
  if (auto status = o.drafts.prepare(*session_options); !status) return fail_usage("chat: " + status.error().message);
  const auto message = single_message(o);
  if (!message && message.error().code == hearth::ErrorCode::kNotFound && o.file.empty()) {
    return fail_usage(message.error().message);
  }
  if (!message) return fail(message.error());
  NamedModel named;
  const auto model = load_model(o.model, &named);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  return talk(o, *model, named, *session_options, *message);
}

}  // namespace

Action setup_chat(Options& options) {
  auto values = std::make_shared<ChatCommand>();
  values->model.declare(options);
  options.add("message", values->message, "A message to answer before ending; without it messages are read one by one");
  options.add("-f,--file", values->file, "File with the message, or with what belongs to it (-: standard input)");
  options.add("--commands", values->commands,
              "Read piped text line by line as messages and commands; without it all of it is one message");
  options.add("-s,--system", values->system, "System message");
  options.add("--template", values->template_file, "Use the chat template in this file instead of the model's");
  options.add("--var", values->variables, "Variable of the template, NAME=VALUE (JSON, or text); may be repeated");
  options.add("--tools", values->tools, "JSON file: a list of tool definitions that the template shows to the model");
  options.add("--exec", values->programs,
              "NAME=COMMAND: when the model calls the tool NAME, run COMMAND with the arguments (JSON) on its standard "
              "input; what it prints is the result. May be repeated; no other tool runs anything");
  options.add("-n,--max-tokens", values->max_tokens, "Tokens of an answer at most (-1: until its end)");
  options.add("--stop", values->stop, "Text that ends an answer; may be repeated");
  options.add(
      "--on-full", values->on_full,
      "When the context is full: drop (forget the oldest messages), stop (answer no more), or in the middle of an "
      "answer shift (forget the older half of all tokens) or window (the oldest, bit by bit)");
  values->cache.declare_keep(options);
  options.add("--echo", values->echo, "Print the messages too when they come from a file or a pipe");
  values->session.declare(options);
  values->session.declare_rope(options);
  values->sampling.declare(options);
  values->grammar.declare(options);
  values->drafts.declare(options);
  options.footer(Dialog::help_text());
  return [values, options] {
    values->has_system = options.given("--system");
    values->has_max_tokens = options.given("--max-tokens");
    return run(*values);
  };
}

}  // namespace hearth_tool
