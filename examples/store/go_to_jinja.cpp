// The translation of Go's template language into Jinja.
//
// Every value that Go calls "dot" is a Jinja variable here; fields keep their meaning under lower-case names
// (.ToolCalls is x['tool_calls']). Go's variables become attributes of one namespace, so that an assignment inside of a
// block lasts. Texts are written as string constants: nothing of them is read as Jinja.
#include <cctype>
#include <ctime>

#include "go_tree.h"
#include "name.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;
using Node = GoTemplate::Node;

namespace {

// Values as Go prints them, and messages as Ollama hands them to templates: texts of one role in a row are joined,
// tools and calls have their keys in a fixed order.
constexpr const char* kPrelude =
    R"({% set go = namespace(system='', messages=[], tools=[], prompt='', response='', properties={}) %})"
    R"({% macro go_json(x) %}{{ x|tojson(separators=(',', ':'))|replace('&', '\\u0026')|replace('<', '\\u003c'))"
    R"(|replace('>', '\\u003e') }}{% endmacro %})"
    R"({% macro go_text(x) %}{% if x is string %}{{ x }}{% elif x is undefined or x is none %}{% elif x is boolean %})"
    R"({{ 'true' if x else 'false' }}{% elif x is number %}{{ x }}{% else %}{{ go_json(x) }}{% endif %}{% endmacro %})"
    R"({% macro go_type(x) %}{% set kind = x['type'] if x is mapping else none %})"
    R"({% for k in (kind if kind is iterable and kind is not string else [kind]) %}{{ ' | ' if not loop.first }})"
    R"({{ {'string': 'string', 'number': 'number', 'integer': 'number', 'boolean': 'boolean', 'array': 'any[]',)"
    R"( 'object': 'Record<string, any>', 'null': 'null'}.get(k, 'any') }}{% endfor %}{% endmacro %})"
    R"({% for tool in (tools or []) %}{% set f = tool.function or {} %}{% set p = f.parameters or {} %})"
    R"({% set go.properties = {} %}{% for k, v in (p['properties'] or {})|dictsort(true) %})"
    R"({% set ignored = go.properties.update({k: v}) %}{% endfor %})"
    R"({% set parameters = {'type': p['type'] or ''} %})"
    R"({% if '$defs' in p %}{% set ignored = parameters.update({'$defs': p['$defs']}) %}{% endif %})"
    R"({% if 'items' in p %}{% set ignored = parameters.update({'items': p['items']}) %}{% endif %})"
    R"({% if 'required' in p %}{% set ignored = parameters.update({'required': p['required']}) %}{% endif %})"
    R"({% set ignored = parameters.update({'properties': go.properties}) %})"
    R"({% set ignored = go.tools.append({'type': tool.type or 'function', 'function': {'name': f.name or '',)"
    R"( 'description': f.description or '', 'parameters': parameters}}) %}{% endfor %})"
    R"({% for m in (messages or []) %}{% set content = m.content if m.content is string else '' %})"
    R"({% if m.role == 'system' %}{% set go.system = go.system ~ '\n\n' ~ content if go.system else content %}{% endif %})"
    R"({% if go.messages and go.messages[-1]['role'] == m.role and m.role != 'tool' %})"
    R"({% set ignored = go.messages[-1].update({'content': go.messages[-1]['content'] ~ '\n\n' ~ content}) %})"
    R"({% else %}{% set calls = [] %}{% for c in (m.tool_calls or []) %}{% set arguments = {} %})"
    R"({% if c.function.arguments is mapping %}{% for k, v in c.function.arguments|dictsort(true) %})"
    R"({% set ignored = arguments.update({k: v}) %}{% endfor %}{% endif %})"
    R"({% set ignored = calls.append({'id': c.id or '', 'function': {'index': loop.index0, 'name': c.function.name,)"
    R"( 'arguments': arguments}}) %}{% endfor %})"
    R"({% set ignored = go.messages.append({'role': m.role, 'content': content,)"
    R"( 'thinking': m.reasoning_content or m.thinking or '', 'images': [], 'tool_calls': calls,)"
    R"( 'tool_name': m.name or '', 'tool_call_id': m.tool_call_id or ''}) %}{% endif %}{% endfor %})";

/// A text as a Jinja string.
std::string constant(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\\' || c == '\'') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out + "'";
}

/// "ToolCallID" as "tool_call_id".
std::string lower_field(const std::string& name) {
  std::string out;
  const auto is_upper = [&](size_t i) { return i < name.size() && std::isupper(static_cast<unsigned char>(name[i])); };
  for (size_t i = 0; i < name.size(); ++i) {
    const bool begins = is_upper(i) && i > 0 && (!is_upper(i - 1) || (i + 1 < name.size() && !is_upper(i + 1)));
    if (begins) out += '_';
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return out;
}

std::string with_fields(std::string value, const std::vector<std::string>& fields) {
  for (const std::string& field : fields) {
    const std::string key = lower_field(field);
    if (field == "ToTypeScriptType") {  // the one method that templates call on a value
      value = "go_type(" + value + ")";
    } else if (key == "items" || key == "keys" || key == "values" || key == "update" || key == "pop" || key == "copy") {
      value = "(" + value + ").get('" + key + "')";  // in Jinja a method, where the key is not there
    } else {
      value += "[" + constant(key) + "]";
    }
  }
  return value;
}

class Translator {
 public:
  explicit Translator(const Node& root) : root_(root) {}

  Result<std::string> whole(bool has_messages, bool has_response, bool can_think) {
    std::string out = kPrelude;
    for (const auto& [name, nodes] : root_.defined) {
      // Names of macros are numbers: those of templates may be any text.
      macros_.emplace(name, "go_template_" + std::to_string(macros_.size()));
    }
    for (const auto& [name, nodes] : root_.defined) {
      auto body = body_of(nodes);
      if (!body) return body.error();
      out += "{% macro " + macros_[name] + "(root) %}" + *body + "{% endmacro %}";
    }
    std::vector<Node> nodes = root_.body;
    if (!has_messages && !has_response) {
      Node& answer = nodes.emplace_back();
      answer.kind = Node::Kind::kAction;
      answer.pipe.commands = {{{GoOperand::Kind::kField, {}, {"Response"}, {}}}};
    }
    auto turn = body_of(nodes);
    if (!turn) return turn.error();
    out += "{% macro go_turn(root) %}" + *turn + "{% endmacro %}";
    const std::string thinking = std::string("'think': enable_thinking|default(") + (can_think ? "true" : "false") +
                                 "), 'think_level': reasoning_effort|default(''), 'is_think_set': " +
                                 (can_think ? "true" : "enable_thinking is defined");
    out += "{% if suffix is defined and suffix %}{{ go_turn({'prompt': prompt, 'suffix': suffix, 'response': '', " +
           thinking + "}) }}{% else %}";
    if (has_messages) {
      out += "{{ go_turn({'system': go.system, 'messages': go.messages, 'tools': go.tools, 'response': '', " +
             thinking + "}) }}";
    } else {
      auto last = turn_by_turn(nodes, thinking);
      if (!last) return last.error();
      out += *last;
    }
    return out + "{% endif %}";
  }

 private:
  /// Templates that know one question and its answer are rendered once for each; the last ends where the answer begins.
  Result<std::string> turn_by_turn(const std::vector<Node>& nodes, const std::string& thinking) {
    stops_at_response_ = true;
    auto last = body_of(nodes);
    stops_at_response_ = stopped_ = false;
    if (!last) return last.error();
    const std::string values =
        "({'system': go.system, 'prompt': go.prompt, 'response': go.response, " + thinking + "})";
    const std::string turn =
        "{{ go_turn" + values + " }}{% set go.system = '' %}{% set go.prompt = '' %}{% set go.response = '' %}";
    return "{% macro go_last(root) %}" + *last +
           "{% endmacro %}{% set go.system = '' %}{% for m in go.messages %}"
           "{% if m.role == 'system' %}{% if go.prompt or go.response %}" +
           turn +
           "{% endif %}{% set go.system = m.content %}"
           "{% elif m.role == 'user' %}{% if go.response %}" +
           turn +
           "{% endif %}{% set go.prompt = m.content %}"
           "{% elif m.role == 'assistant' %}{% set go.response = m.content %}{% endif %}{% endfor %}{{ go_last" +
           values + " }}";
  }

  Result<std::string> body_of(const std::vector<Node>& nodes) {
    const auto before = std::move(variables_);
    variables_ = {{{"", "root"}}};
    std::string out;
    const Status status = list(nodes, "root", out);
    variables_ = before;
    if (!status) return status.error();
    return out;
  }

  Status list(const std::vector<Node>& nodes, const std::string& dot, std::string& out) {
    variables_.emplace_back();
    Status status;
    for (const Node& node : nodes) {
      if (stopped_) break;
      status = one(node, dot, out);
      if (!status) break;
    }
    variables_.pop_back();
    return status;
  }

  Status one(const Node& node, const std::string& dot, std::string& out) {
    switch (node.kind) {
      case Node::Kind::kText: out += "{{ " + constant(node.text) + " }}"; return {};
      case Node::Kind::kAction: return action(node, dot, out);
      case Node::Kind::kIf:
      case Node::Kind::kWith: return condition(node, dot, out);
      case Node::Kind::kRange: return range(node, dot, out);
      case Node::Kind::kBreak: out += "{% break %}"; return {};
      case Node::Kind::kContinue: out += "{% continue %}"; return {};
      case Node::Kind::kCall: return call(node, dot, out);
      case Node::Kind::kList: break;
    }
    return list(node.body, dot, out);
  }

  Status action(const Node& node, const std::string& dot, std::string& out) {
    std::string value;
    if (auto status = pipe(node.pipe, dot, value); !status) return status;
    if (!node.pipe.variables.empty()) {
      if (auto status = assign(node.pipe, 0, value, out); !status) return status;
    } else {
      out += "{{ go_text(" + value + ") }}";
    }
    if (stops_at_response_ && node.pipe.commands.front().front().fields == std::vector<std::string>{"Response"})
      stopped_ = true;
    return {};
  }

  Status assign(const GoPipe& of, size_t i, const std::string& value, std::string& out) {
    const std::string& name = of.variables[i];
    std::string place;
    if (of.declares) {
      place = "go.v" + std::to_string(n_names_++);
      variables_.back()[name] = place;
    } else {
      place = variable(name);
      if (place.empty()) return Error{ErrorCode::kFormat, "the template assigns to $" + name + ", which is nothing"};
    }
    out += "{% set " + place + " = " + value + " %}";
    return {};
  }

  Status condition(const Node& node, const std::string& dot, std::string& out) {
    std::string value, inner = dot;
    if (auto status = pipe(node.pipe, dot, value); !status) return status;
    variables_.emplace_back();
    const bool is_with = node.kind == Node::Kind::kWith;
    if (is_with || !node.pipe.variables.empty()) {
      inner = "go.v" + std::to_string(n_names_++);
      out += "{% set " + inner + " = " + value + " %}";
      value = inner;
      if (!node.pipe.variables.empty()) {
        if (auto status = assign(node.pipe, 0, value, out); !status) return status;
      }
      if (!is_with) inner = dot;
    }
    out += "{% if " + value + " %}";
    auto status = list(node.body, inner, out);
    if (status && node.has_otherwise) {
      out += "{% else %}";
      status = list(node.otherwise, dot, out);
    }
    variables_.pop_back();
    out += "{% endif %}";
    return status;
  }

  /// Over lists, numbers, and mappings in the order of their keys.
  Status range(const Node& node, const std::string& dot, std::string& out) {
    std::string value;
    if (auto status = pipe(node.pipe, dot, value); !status) return status;
    const std::string number = std::to_string(n_names_++), whole = "go.v" + number, item = "item" + number;
    const std::string inner = "dot" + number;
    out += "{% set " + whole + " = " + value + " %}{% for " + item + " in (" + whole + "|dictsort(true) if " + whole +
           " is mapping else range(" + whole + ") if " + whole + " is number else " + whole + " or []) %}{% set " +
           inner + " = " + item + "[1] if " + whole + " is mapping else " + item + " %}";
    variables_.emplace_back();
    Status status;
    const auto& names = node.pipe.variables;
    if (names.size() == 2) {
      const std::string key = item + "[0] if " + whole + " is mapping else loop.index0";
      status = assign(node.pipe, 0, key, out);
    }
    if (status && !names.empty()) status = assign(node.pipe, names.size() - 1, inner, out);
    if (status) status = list(node.body, inner, out);
    variables_.pop_back();
    if (status && node.has_otherwise) {
      out += "{% else %}";
      status = list(node.otherwise, dot, out);
    }
    out += "{% endfor %}";
    return status;
  }

  Status call(const Node& node, const std::string& dot, std::string& out) {
    const auto macro = macros_.find(node.text);
    if (macro == macros_.end()) return Error{ErrorCode::kFormat, "there is no template " + shown(node.text)};
    std::string value = "none";
    if (!node.pipe.commands.empty()) {
      if (auto status = pipe(node.pipe, dot, value); !status) return status;
    }
    out += "{{ " + macro->second + "(" + value + ") }}";
    return {};
  }

  std::string variable(const std::string& name) const {
    for (auto scope = variables_.rbegin(); scope != variables_.rend(); ++scope)
      if (const auto found = scope->find(name); found != scope->end()) return found->second;
    return {};
  }

  /// An expression in brackets.
  Status pipe(const GoPipe& of, const std::string& dot, std::string& out) {
    std::string piped;
    for (size_t i = 0; i < of.commands.size(); ++i) {
      const auto& command = of.commands[i];
      std::vector<std::string> values;
      const bool is_function = command.front().kind == GoOperand::Kind::kFunction;
      for (size_t k = is_function ? 1 : 0; k < command.size(); ++k) {
        std::string value;
        if (auto status = operand(command[k], dot, value); !status) return status;
        values.push_back(std::move(value));
      }
      if (i > 0) values.push_back(piped);  // what comes through the pipe is the last argument
      if (is_function) {
        if (auto status = function(command.front().text, values, piped); !status) return status;
      } else if (values.size() == 1) {
        piped = values.front();
      } else {
        return Error{ErrorCode::kUnsupported, "the template calls a value as a function"};
      }
      if (piped.size() > 1 << 16) return Error{ErrorCode::kLimit, "the template has an expression that is too long"};
    }
    out = piped;
    return {};
  }

  Status operand(const GoOperand& of, const std::string& dot, std::string& out) {
    switch (of.kind) {
      case GoOperand::Kind::kDot: out = dot; return {};
      case GoOperand::Kind::kField: out = with_fields(dot, of.fields); return {};
      case GoOperand::Kind::kVariable:
        out = variable(of.text);
        if (out.empty()) return Error{ErrorCode::kFormat, "the template uses $" + of.text + ", which is nothing"};
        out = with_fields(out, of.fields);
        return {};
      case GoOperand::Kind::kFunction: return function(of.text, {}, out);
      case GoOperand::Kind::kString: out = constant(of.text); return {};
      case GoOperand::Kind::kNumber: out = of.text; return {};
      case GoOperand::Kind::kBool: out = of.text; return {};
      case GoOperand::Kind::kNil: out = "none"; return {};
      case GoOperand::Kind::kPipe: {
        std::string value;
        if (auto status = pipe(*of.pipe, dot, value); !status) return status;
        out = with_fields("(" + value + ")", of.fields);
        return {};
      }
    }
    return {};
  }

  static std::string joined(const std::vector<std::string>& values, const std::string& between) {
    std::string out = "(";
    for (const std::string& value : values) out += (out.size() > 1 ? between : "") + value;
    return out + ")";
  }

  static Status function(const std::string& name, const std::vector<std::string>& v, std::string& out) {
    static const std::map<std::string, const char*> kCompare = {
        {"ne", " != "}, {"lt", " < "}, {"le", " <= "}, {"gt", " > "}, {"ge", " >= "}};
    const auto wants = [&](size_t least, size_t most) { return v.size() >= least && v.size() <= most; };
    bool ok = true;
    if (name == "and" || name == "or") {
      ok = wants(1, 64);
      out = joined(v, " " + name + " ");
    } else if (name == "not") {
      ok = wants(1, 1);
      if (ok) out = "(not " + v[0] + ")";
    } else if (name == "eq") {
      ok = wants(2, 64);
      std::vector<std::string> parts;
      for (size_t i = 1; i < v.size(); ++i) parts.push_back("(" + v[0] + ") == (" + v[i] + ")");
      out = joined(parts, " or ");
    } else if (const auto compare = kCompare.find(name); compare != kCompare.end()) {
      ok = wants(2, 2);
      if (ok) out = "((" + v[0] + ")" + compare->second + "(" + v[1] + "))";
    } else if (name == "len") {
      ok = wants(1, 1);
      if (ok) out = "((" + v[0] + " or [])|length)";
    } else if (name == "index" || name == "slice") {
      ok = wants(1, 4);
      if (ok) out = "(" + v[0] + ")";
      for (size_t i = 1; ok && name == "index" && i < v.size(); ++i) out += "[" + v[i] + "]";
      if (ok && name == "slice") out += "[" + (v.size() > 1 ? v[1] : "") + ":" + (v.size() > 2 ? v[2] : "") + "]";
    } else if (name == "json") {
      ok = wants(1, 1);
      if (ok) out = "go_json(" + v[0] + ")";
    } else if (name == "toTypeScriptType") {
      ok = wants(1, 1);
      if (ok) out = "go_type(" + v[0] + ")";
    } else if (name == "currentDate") {
      out = "strftime_now('%Y-%m-%d')";
    } else if (name == "yesterdayDate") {
      const std::time_t yesterday = std::time(nullptr) - 86400;
      const std::tm parts = local_time(yesterday);
      char text[16];
      std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
      out = constant(text);
    } else if (name == "print" || name == "println") {
      std::vector<std::string> parts;
      for (const std::string& value : v) parts.push_back("go_text(" + value + ")");
      if (name == "println") parts.emplace_back("'\\n'");
      ok = !parts.empty();
      out = joined(parts, " ~ ");
    } else if (name == "printf") {
      return print_by_format(v, out);
    } else {
      return Error{ErrorCode::kUnsupported, "the template uses the function " + shown(name) + ", which is not offered"};
    }
    return ok ? Status()
              : Status(Error{ErrorCode::kFormat, "the template gives " + name + " a wrong number of values"});
  }

  /// printf with the verbs that only print a value.
  static Status print_by_format(const std::vector<std::string>& v, std::string& out) {
    const auto wrong = [] {
      return Error{ErrorCode::kUnsupported, "the template uses a format of printf that is not offered"};
    };
    if (v.empty() || v[0].size() < 2 || v[0].front() != '\'') return wrong();
    const std::string format = v[0].substr(1, v[0].size() - 2);  // still escaped
    std::vector<std::string> parts;
    size_t next = 1, begin = 0;
    for (size_t at; (at = format.find('%', begin)) != std::string::npos; begin = at + 2) {
      parts.push_back("'" + format.substr(begin, at - begin) + "'");
      const char verb = at + 1 < format.size() ? format[at + 1] : '\0';
      if (verb == '%') {
        parts.emplace_back("'%'");
      } else if (std::string_view("svdq").find(verb) != std::string_view::npos && next < v.size()) {
        parts.push_back((verb == 'q' ? "go_json(" : "go_text(") + v[next++] + ")");
      } else {
        return wrong();
      }
    }
    parts.push_back("'" + format.substr(begin) + "'");
    out = joined(parts, " ~ ");
    return {};
  }

  const Node& root_;
  std::vector<std::map<std::string, std::string>> variables_;  ///< by scope: where each lies
  std::map<std::string, std::string> macros_;
  int n_names_ = 0;
  bool stops_at_response_ = false, stopped_ = false;
};

}  // namespace

Result<std::string> GoTemplate::to_jinja() const {
  const auto tags = thinking_tags();
  const bool can_think = !tags.first.empty() && !tags.second.empty();
  return Translator(*root_).whole(mentions("messages"), mentions("response"), can_think);
}

}  // namespace hearth_store
