// Go's template language (text/template) as far as the templates of Ollama's models use it, and its translation into
// the language of chat templates (Jinja), so that one engine renders both, with its bounds on steps and memory, and
// with its distinction between what a template writes and what messages say.
//
//   auto parsed = hearth_store::GoTemplate::parse(text);
//   auto chat = hearth::ChatTemplate::compile(*parsed->to_jinja());
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "hearth/result.h"

namespace hearth_store {

class GoTemplate {
 public:
  /// kFormat with the line when it is no template; kLimit when it is nested too deeply.
  static hearth::Result<GoTemplate> parse(std::string_view source);

  /// Whether a field or a variable of that name occurs ("messages"; upper and lower case are the same).
  bool mentions(std::string_view name) const;
  /// What stands around the thinking in a message, as "<think>" and "</think>"; empty: it has no place there.
  std::pair<std::string, std::string> thinking_tags() const;

  /// A template of the same texts, for the variables messages, tools, enable_thinking and reasoning_effort; or prompt
  /// and suffix, where those are given. kUnsupported names what it uses that cannot be translated.
  hearth::Result<std::string> to_jinja() const;

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
};

}  // namespace hearth_store
