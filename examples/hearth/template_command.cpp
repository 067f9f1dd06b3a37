// hearth template: what a chat template makes of messages.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>

#include "chat_messages.h"
#include "commands.h"
#include "json_output.h"
#include "model_options.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::ChatTemplate;
using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

struct TemplateOptions {
  std::string model, messages, tools, root, now, file;
  std::vector<std::string> variables;
  bool jsonl = false, json = false, no_generation = false;
};

/// Seconds since 1970 of YYYY-MM-DD, with an optional time ("2026-01-15T08:30:00"); -1 for an empty text.
Result<int64_t> parse_date(const std::string& text) {
  if (text.empty()) return int64_t{-1};
  int year = 0, hour = 0, minute = 0, second = 0;
  unsigned month = 0, day = 0;
  char t = 0;
  const int n = std::sscanf(text.c_str(), "%d-%u-%u%c%d:%d:%d", &year, &month, &day, &t, &hour, &minute, &second);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if ((n != 3 && n != 7) || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return Error{ErrorCode::kInvalidArgument, "'" + text + "' is not a date such as 2026-01-15 or 2026-01-15T08:30:00"};
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

/// The text of member `key` of a JSON object as it is written, so that no number is rounded on the way; "{}" when it
/// is absent. `line` is known to be an object.
std::string raw_member(const std::string& line, const std::string& key) {
  int depth = 0;
  size_t value = 0;
  std::string name;  // of the member that `depth` 1 is at
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      const size_t begin = i + 1;
      for (++i; i < line.size() && line[i] != '"'; ++i) i += line[i] == '\\';
      if (depth == 1 && value == 0) name = line.substr(begin, i - begin);
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']' || (c == ',' && depth == 1)) {
      if (c != ',') --depth;
      const bool ends = depth == 0 || (c == ',' && depth == 1);
      if (ends && value != 0 && name == key) return line.substr(value, i - value);
      if (ends) value = 0;
    } else if (c == ':' && depth == 1 && value == 0) {
      value = i + 1;
    }
  }
  return "{}";
}

/// One line of --jsonl; `compiled` keeps the templates of files.
Json render_line(const std::string& line, const TemplateOptions& o, int64_t now,
                 std::map<std::string, Result<ChatTemplate>>& compiled) {
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object()) return {{"error", "not a JSON object"}};
  const auto text_of = [&](const char* key) {
    return request.contains(key) && request[key].is_string() ? request[key].get<std::string>() : std::string();
  };
  std::string key = "source:" + text_of("source");
  if (!request.contains("source")) {
    const std::string path = text_of("template");
    if (path.empty()) return {{"error", "neither \"template\" nor \"source\" is given"}};
    key = "file:" + (o.root.empty() || path.front() == '/' ? path : o.root + "/" + path);
  }
  auto found = compiled.find(key);
  if (found == compiled.end()) {
    const bool is_file = key.starts_with("file:");
    const Result<std::string> source = is_file ? read_text(key.substr(5)) : Result<std::string>(key.substr(7));
    if (compiled.size() > 1000) compiled.clear();
    found = compiled.emplace(key, source ? ChatTemplate::compile(*source) : Result<ChatTemplate>(source.error())).first;
  }
  if (!found->second) return {{"error", found->second.error().message}};
  const std::string variables = raw_member(line, "vars");
  const auto text = found->second->render_json(variables, now);
  if (!text) return {{"error", text.error().message}};
  return {{"text", *text}};
}

int render_lines(const TemplateOptions& o, int64_t now) {
  std::map<std::string, Result<ChatTemplate>> compiled;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    print_json_line(render_line(line, o, now, compiled));
  }
  return finish_output();
}

/// The messages of a file: a list, or an object with the lists "messages" and "tools".
hearth::Status read_conversation(const TemplateOptions& o, std::vector<hearth::ChatMessage>& messages,
                                 hearth::ChatOptions& options) {
  const auto text = read_text(o.messages);
  if (!text) return text.error();
  Json document = Json::parse(*text, nullptr, false);
  if (document.is_object() && document.contains("tools") && document["tools"].is_array()) {
    options.tools_json = document["tools"].dump();
  }
  if (document.is_object() && document.contains("messages")) document = Json(document["messages"]);
  auto parsed = messages_from_json(document);
  if (!parsed) return Error{parsed.error().code, o.messages + ": " + parsed.error().message};
  messages = *std::move(parsed);
  if (o.tools.empty()) return {};
  const auto tools = read_text(o.tools);
  if (!tools) return tools.error();
  if (!Json::parse(*tools, nullptr, false).is_array()) {
    return Error{ErrorCode::kFormat, o.tools + ": a JSON list of tools is expected"};
  }
  options.tools_json = *tools;
  return {};
}

int render_messages(const TemplateOptions& o, int64_t now) {
  if (o.model.empty()) return fail_usage("give MODEL, and --messages FILE; or --jsonl");
  hearth::ChatOptions options;
  options.add_generation_prompt = !o.no_generation;
  options.now = now;
  std::vector<hearth::ChatMessage> messages;
  const bool is_source_wanted = o.messages.empty();
  if (auto status = is_source_wanted ? hearth::Status() : read_conversation(o, messages, options); !status) {
    return fail(status.error());
  }
  auto variables = template_variables(o.variables);
  if (!variables) return fail(variables.error());
  options.variables = *std::move(variables);

  const auto path = model_path(o.model);
  if (!path) return fail(path.error());
  const auto file = hearth::GgufFile::open(*path, {.metadata_only = true});
  if (!file) return fail(file.error());
  const auto tokenizer = hearth::Tokenizer::from_gguf(*file);
  if (!tokenizer) return fail(tokenizer.error());
  show_warning(tokenizer->warning());
  const auto tmpl = open_template(*file, *tokenizer, o.file);
  if (!tmpl) return fail(tmpl.error());
  show_warning(tmpl->warning());
  if (is_source_wanted) {
    print(std::string(tmpl->source()) + "\n");
    return finish_output();
  }
  const auto prompt = tmpl->render(messages, options);
  if (!prompt) return fail(prompt.error());
  if (!o.json) {
    print(prompt->text());
    return finish_output();
  }
  const auto ids = tmpl->encode(*prompt, *tokenizer);
  if (!ids) return fail(ids.error());
  print_json({{"text", prompt->text()}, {"ids", *ids}});
  return finish_output();
}

int run(const TemplateOptions& o) {
  const auto now = parse_date(o.now);
  if (!now) return fail_usage(now.error().message);
  return o.jsonl ? render_lines(o, *now) : render_messages(o, *now);
}

}  // namespace

Action setup_template(Options& options) {
  auto values = std::make_shared<TemplateOptions>();
  options.add("model", values->model, "GGUF file");
  options.add(
      "--messages", values->messages,
      "JSON file: a list of messages, or {\"messages\": [...], \"tools\": [...]}; without it the template is printed");
  options.add("--tools", values->tools, "JSON file: a list of tool definitions");
  options.add("--template", values->file, "Use the template in this file instead of the model's");
  options.add("--var", values->variables, "Variable of the template, NAME=VALUE (JSON, or text); may be repeated");
  options.add("--no-generation-prompt", values->no_generation, "Do not ask for the assistant's turn at the end");
  options.add("--now", values->now, "Date that strftime_now shows: YYYY-MM-DD, with THH:MM:SS if wanted (UTC)");
  options.add("--json", values->json, "Print one JSON object: text and token ids");
  options.add(
      "--jsonl", values->jsonl,
      "Read lines {\"template\": FILE or \"source\": TEXT, \"vars\": {...}}, write {\"text\"} or {\"error\"} lines");
  options.add("--root", values->root, "Folder that the files of --jsonl lie under");
  return [values] { return run(*values); };
}

}  // namespace hearth_tool
