// ChatTemplate in a library that was built without the template engine (HEARTH_JINJA=OFF): says so, and does nothing.
#include "hearth/chat_template.h"

namespace hearth {
namespace {

Error no_engine() {
  return {ErrorCode::kUnsupported,
          "chat templates: this library was built without its template engine (HEARTH_JINJA=OFF)"};
}

}  // namespace

struct ChatTemplate::Impl {};

Result<ChatTemplate> ChatTemplate::compile(std::string_view, std::string_view, std::string_view) {
  return no_engine();
}
Result<ChatTemplate> ChatTemplate::from_gguf(const GgufFile&, const Tokenizer&) {
  return no_engine();
}
Result<ChatPrompt> ChatTemplate::render(const std::vector<ChatMessage>&, const ChatOptions&) const {
  return no_engine();
}
Result<std::string> ChatTemplate::render_json(std::string_view, int64_t) const {
  return no_engine();
}
std::string_view ChatTemplate::source() const {
  return {};
}
std::string_view ChatTemplate::warning() const {
  return {};
}

}  // namespace hearth
